"""The outer gradient of a batch of tasks, found task by task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmeta.learners.inner_rules import Parameters
from tfmeta.learners.optimization_based.batch_learning import (
    BatchLearning,
    task_inputs,
)
from tfmeta.learners.optimization_based.phases import Phase
from tfmeta.learners.optimization_based.task_network import Moving
from tfmeta.learners.optimization_based.task_seeds import shift_seeds


@dataclasses.dataclass(frozen=True)
class OuterLoop:
    """What the outer loop trains, and by what.

    Attributes:
        variables: What is trained.
        carried: What the inner rule carries from the tasks of a batch to the next.
        optimizer: Whose steps and scale count; `None` before `compile`.
        compute_loss: Keras' own way from outputs to the loss, as
            `keras.Model.compute_loss`: it knows of replicas and of regularization.
        reduction: Of the loss, as Keras names it.
        replica_part: From what layers add to the losses to a replica's part of it.
        seed: Of what is drawn for tasks.
    """

    variables: list[keras.Variable]
    carried: list[keras.Variable]
    optimizer: Any
    compute_loss: Callable[..., tf.Tensor]
    reduction: str | None
    replica_part: Callable[[tf.Tensor], tf.Tensor]
    seed: int


class FoundGradient(NamedTuple):
    """What a step of the outer loop needs.

    Attributes:
        loss: The mean loss of the tasks, a scalar.
        outputs: `(tasks, queries, ways)`, after the last inner step.
        gradients: Of the loss, one for each trainable variable, multiplied by the
            scale that the optimizer divides by.
        moving: The encoder's non-trainable values, averaged over the tasks.
        carried: What the inner rule carries on from task to task, averaged as well.
    """

    loss: tf.Tensor
    outputs: tf.Tensor
    gradients: Parameters
    moving: Moving
    carried: Parameters


class MetaGradient:
    """Differentiates the query loss of adapted parameters by what they started from.

    Loss and gradient of a task are found inside the map over the tasks: outside,
    the fast weights of all tasks would have to be kept, and it is slower.

    The loss of a batch is what Keras makes of the logits of all its tasks, whatever
    the reduction and the weights of the queries; regularizers of weights, of the
    start, once; and the mean over the tasks of what the encoder's layers add to the
    losses (`activity_regularizer`, `add_loss`) in the pass of the real queries with
    the adapted weights. Where the query losses of earlier inner steps count, so does
    what is added in their passes. Passes of the support add nothing.

    Attributes:
        scales_loss: Whether `of_task` differentiates the loss as the optimizer scales
            it. What another finds in the place of a gradient is scaled afterwards.

    Args:
        learning: How tasks are learned.
        outer: What is trained.
        phase: How it is found.
    """

    scales_loss: bool = True

    def __init__(self, learning: BatchLearning, outer: OuterLoop, phase: Phase) -> None:
        self.learning = learning
        self.outer = outer
        self.phase = phase

    def of_batch(
        self, inputs: dict[str, tf.Tensor], y: tf.Tensor, sample_weight: Any
    ) -> FoundGradient:
        """Loss and gradient of a batch of tasks.

        Args:
            inputs: The inputs of an episode batch.
            y: Labels or targets of the queries.
            sample_weight: Weights of the queries, or `None`.
        """
        tasks = {**task_inputs(inputs), "y": y, "seed": self._seeds(y)}
        tasks.update(self._query_weights(y, sample_weight))
        moving = self.learning.network.moving_values()
        dtype = self.learning.network.dtype
        spec = (
            tf.TensorSpec([], dtype),
            self.learning.outputs_spec(inputs["query"]),
            [tf.TensorSpec(v.shape, v.dtype) for v in self.outer.variables],
            tf.nest.map_structure(lambda v: tf.TensorSpec(v.shape, v.dtype), moving),
            [tf.TensorSpec(v.shape, v.dtype) for v in self.outer.carried],
        )
        losses, outputs, gradients, moving, carried = self.learning.map(
            self.of_task, tasks, spec
        )
        return FoundGradient(
            loss=tf.reduce_mean(losses),
            outputs=outputs,
            gradients=self._scaled([tf.reduce_mean(g, axis=0) for g in gradients]),
            moving=tf.nest.map_structure(_mean_over_tasks, moving),
            carried=[tf.reduce_mean(values, axis=0) for values in carried],
        )

    def of_task(
        self, task: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, Parameters, Moving, Parameters]:
        """Loss, query outputs, gradients, non-trainable and carried values of a task.

        A rule that is differentiated carries nothing from one task to the next.
        """
        variables = [v.value for v in self.outer.variables]
        with tf.GradientTape() as tape:
            loss, outputs, moving = self._query_loss(task)
            scaled = self.outer.optimizer.scale_loss(loss)
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(g) for g in gradients]
        loss = tf.cast(loss, self.learning.network.dtype)
        return loss, outputs, gradients, moving, []

    def _query_loss(
        self, task: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, Moving]:
        moving = self.moving_of_task(task)
        weights = None
        if self.phase.loss_weights is not None:
            weights = self.phase.loss_weights()
        found = self.learning.learn(
            task,
            moving,
            self.loss_of(task),
            training=True,
            first_order=self.phase.first_order,
            every_step=weights is not None,
        ).found
        loss, outputs = found[-1]
        if weights is not None:
            losses = tf.stack([loss for loss, _ in found])
            loss = tf.reduce_sum(tf.cast(weights, losses.dtype) * losses)
        return loss, outputs, self.moving_of_task(task, after=moving)

    def moving_of_task(
        self, task: dict[str, tf.Tensor], *, after: Moving | None = None
    ) -> Moving:
        """The encoder's non-trainable values as a task starts with them.

        Args:
            task: The task's inputs.
            after: Those it ends with, to be turned into what the encoder keeps.
        """
        network = self.learning.network
        return shift_seeds(
            network.moving_values() if after is None else after,
            network.moving_variables,
            task["seed"],
            back=after is not None,
        )

    def loss_of(
        self, task: dict[str, tf.Tensor]
    ) -> Callable[[tf.Tensor, tf.Tensor | None], tuple[tf.Tensor, tf.Tensor]]:
        """What makes of a task's outputs, and of what layers add, loss and outputs."""

        def finish(
            outputs: tf.Tensor, added: tf.Tensor | None
        ) -> tuple[tf.Tensor, tf.Tensor]:
            weight = task.get("sample_weight")
            loss = self.outer.compute_loss(
                x=None,
                y=task["y"][None],
                y_pred=outputs[None],
                sample_weight=None if weight is None else weight[None],
                training=True,
            )
            if "share" in task:
                loss *= tf.cast(task["share"], loss.dtype)
            if added is not None:
                loss += tf.cast(self.outer.replica_part(added), loss.dtype)
            return loss, outputs

        return finish

    def _scaled(self, gradients: Parameters) -> Parameters:
        """Gradients as the optimizer takes them, who divides by its scale."""
        if self.scales_loss:
            return gradients
        return [self.outer.optimizer.scale_loss(g) for g in gradients]

    def _seeds(self, y: tf.Tensor) -> tf.Tensor:
        """Int32 `(tasks, 2)`: seeds of this step's tasks, for what a rule draws."""
        optimizer = self.outer.optimizer
        step = 0 if optimizer is None else tf.cast(optimizer.iterations, tf.int32)
        of_step = tf.random.fold_in(
            tf.constant([self.outer.seed, 0x7A5C]), step, alg="philox"
        )
        return tf.random.split(of_step, tf.shape(y)[0], alg="philox")

    def _query_weights(self, y: tf.Tensor, sample_weight: Any) -> dict[str, tf.Tensor]:
        """What makes the mean over tasks of their losses that of the whole batch.

        `sample_weight`, and factors `share` `(tasks,)` of the tasks' losses. A sum is
        made one by weights, which regularizers do not have: they count once.
        """
        dtype, reduction = self.learning.network.dtype, self.outer.reduction
        if reduction == "sum":
            queries = tf.shape(y)[:2]
            ones = tf.ones(queries, dtype)
            weights = ones if sample_weight is None else tf.cast(sample_weight, dtype)
            return {"sample_weight": weights * tf.cast(queries[0], dtype)}
        if sample_weight is None:
            return {}
        weights = tf.convert_to_tensor(sample_weight)
        if reduction != "mean_with_sample_weight":
            return {"sample_weight": weights}
        of_task = tf.reduce_sum(tf.cast(weights, dtype), axis=1)
        mean = tf.reduce_mean(of_task)
        # Without any weight regularizers are what is left.
        share = tf.where(mean > 0, tf.math.divide_no_nan(of_task, mean), 1.0)
        return {"sample_weight": weights, "share": share}


def _mean_over_tasks(values: tf.Tensor) -> tf.Tensor:
    # The state of a random layer is a counter, which all tasks advance alike.
    return tf.reduce_mean(values, axis=0) if values.dtype.is_floating else values[0]


def are_finite(gradients: Parameters) -> tf.Tensor:
    """Whether all are, on every replica, where a step is taken by all or none."""
    odd = [tf.reduce_any(~tf.math.is_finite(g)) for g in gradients]
    count = tf.reduce_sum(tf.cast(tf.stack(odd), tf.float32))
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
    return count == 0
