"""The outer gradient of a batch of tasks, found task by task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tfmeta.learners.optimization_based.batch_learning import (
    BatchLearning,
    task_inputs,
)
from tfmeta.learners.optimization_based.inner_rules import Parameters
from tfmeta.learners.optimization_based.phases import Phase
from tfmeta.learners.optimization_based.rematerialization import rematerialized
from tfmeta.learners.optimization_based.task_network import Moving
from tfmeta.learners.optimization_based.task_seeds import shift_seeds

if TYPE_CHECKING:
    from tfmeta.learners.optimization_based.gradient_based_learner import (
        GradientBasedLearner,
    )


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
        learner: Whose settings and weights count.
        phase: How it is found.
    """

    scales_loss: bool = True

    def __init__(self, learner: GradientBasedLearner, phase: Phase) -> None:
        self.learner = learner
        self.phase = phase
        self.learning = BatchLearning(learner)

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
        variables = self.learner.trainable_variables
        moving = self.learner.moving_values()
        dtype = self.learning.dtype
        spec = (
            tf.TensorSpec([], dtype),
            self.learning.outputs_spec(inputs["query"]),
            [tf.TensorSpec(v.shape, v.dtype) for v in variables],
            tf.nest.map_structure(lambda v: tf.TensorSpec(v.shape, v.dtype), moving),
            [tf.TensorSpec(v.shape, v.dtype) for v in self.learner.carried_variables()],
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
        learner = self.learner
        variables = [v.value for v in learner.trainable_variables]
        with tf.GradientTape() as tape:
            loss, outputs, moving = self._query_loss(task)
            scaled = learner.optimizer.scale_loss(loss)
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(g) for g in gradients]
        return tf.cast(loss, self.learning.dtype), outputs, gradients, moving, []

    def _query_loss(
        self, task: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, Moving]:
        learning = self.learning
        support = learning.support_of(task)
        moving = self.moving_of_task(task)
        weights = None
        if self.phase.multi_step:
            weights = self.learner.query_loss_weights()
        found: list[tuple[tf.Tensor, tf.Tensor]] = []

        def look(parameters: Parameters, step: int) -> None:
            def find(parameters: Parameters) -> tuple[tf.Tensor, tf.Tensor]:
                outputs, added = learning.query_outputs(
                    parameters,
                    task["query"],
                    task.get("query_mask"),
                    support.present,
                    moving,
                    step=step,
                    source=learning.query_source(
                        parameters, support, moving, step=step, training=True
                    ),
                    training=True,
                    adding=True,
                )
                return self._loss_of(outputs, added, task), outputs

            # The gradient begins with the last pass, which is still at hand.
            if self.learner.rematerialize and step < self.learner.inner_steps:
                find = rematerialized(find, held=moving)
            found.append(find(parameters))

        parameters, _ = learning.adapt_task(
            support,
            moving,
            training=True,
            first_order=self.phase.first_order,
            after_step=None
            if weights is None
            else lambda parameters, step: look(parameters, step + 1),
        )
        if weights is None:
            look(parameters, self.learner.inner_steps)
            return (*found[-1], self.moving_of_task(task, after=moving))
        losses = tf.stack([loss for loss, _ in found])
        loss = tf.reduce_sum(tf.cast(weights, losses.dtype) * losses)
        return loss, found[-1][1], self.moving_of_task(task, after=moving)

    def moving_of_task(
        self, task: dict[str, tf.Tensor], *, after: Moving | None = None
    ) -> Moving:
        """The encoder's non-trainable values as a task starts with them.

        Args:
            task: The task's inputs.
            after: Those it ends with, to be turned into what the encoder keeps.
        """
        return shift_seeds(
            self.learner.moving_values() if after is None else after,
            self.learner.encoder.non_trainable_variables,
            task["seed"],
            back=after is not None,
        )

    def _loss_of(
        self, outputs: tf.Tensor, added: tf.Tensor | None, task: dict[str, tf.Tensor]
    ) -> tf.Tensor:
        weight = task.get("sample_weight")
        # Keras' own way to the loss: it knows of replicas and of regularization.
        loss = self.learner.compute_loss(
            x=None,
            y=task["y"][None],
            y_pred=outputs[None],
            sample_weight=None if weight is None else weight[None],
            training=True,
        )
        if "share" in task:
            loss *= tf.cast(task["share"], loss.dtype)
        if added is not None:
            loss += tf.cast(self.learner.replica_part(added), loss.dtype)
        return loss

    def _scaled(self, gradients: Parameters) -> Parameters:
        """Gradients as the optimizer takes them, who divides by its scale."""
        if self.scales_loss:
            return gradients
        return [self.learner.optimizer.scale_loss(g) for g in gradients]

    def _seeds(self, y: tf.Tensor) -> tf.Tensor:
        """Int32 `(tasks, 2)`: seeds of this step's tasks, for what a rule draws."""
        optimizer, seed = self.learner.optimizer, self.learner.seed
        step = 0 if optimizer is None else tf.cast(optimizer.iterations, tf.int32)
        of_step = tf.random.fold_in(
            tf.constant([seed or 0, 0x7A5C]), step, alg="philox"
        )
        return tf.random.split(of_step, tf.shape(y)[0], alg="philox")

    def _query_weights(self, y: tf.Tensor, sample_weight: Any) -> dict[str, tf.Tensor]:
        """What makes the mean over tasks of their losses that of the whole batch.

        `sample_weight`, and factors `share` `(tasks,)` of the tasks' losses. A sum is
        made one by weights, which regularizers do not have: they count once.
        """
        dtype = self.learning.dtype
        reduction = getattr(self.learner.loss, "reduction", None)
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
