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
        gradients: Of the loss, one for each trainable variable.
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

    Args:
        learner: Whose settings and weights count.
        phase: How it is found.
    """

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
        if sample_weight is not None:
            sample_weight = tf.convert_to_tensor(sample_weight)
            tasks["sample_weight"] = sample_weight
            tasks["share"] = self._shares(sample_weight)
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
            gradients=[tf.reduce_mean(g, axis=0) for g in gradients],
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
            if "share" in task:
                loss *= tf.cast(task["share"], loss.dtype)
            scaled = loss
            if learner.optimizer is not None:
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
                outputs = learning.query_outputs(
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
                )
                return self._loss_of(outputs, task), outputs

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

    def _loss_of(self, outputs: tf.Tensor, task: dict[str, tf.Tensor]) -> tf.Tensor:
        weight = task.get("sample_weight")
        # Keras' own way to the loss: it knows of replicas and of regularization.
        return self.learner.compute_loss(
            x=None,
            y=task["y"][None],
            y_pred=outputs[None],
            sample_weight=None if weight is None else weight[None],
            training=True,
        )

    def _seeds(self, y: tf.Tensor) -> tf.Tensor:
        """Int32 `(tasks, 2)`: seeds of this step's tasks, for what a rule draws."""
        optimizer, seed = self.learner.optimizer, self.learner.seed
        step = 0 if optimizer is None else tf.cast(optimizer.iterations, tf.int32)
        of_step = tf.random.fold_in(
            tf.constant([seed or 0, 0x7A5C]), step, alg="philox"
        )
        return tf.random.split(of_step, tf.shape(y)[0], alg="philox")

    def _shares(self, sample_weight: tf.Tensor) -> tf.Tensor:
        """Factors `(tasks,)` that make the mean over tasks that of all queries."""
        sample_weight = tf.cast(sample_weight, self.learning.dtype)
        ones = tf.ones_like(sample_weight[:, 0])
        reduction = getattr(self.learner.loss, "reduction", None)
        if reduction != "mean_with_sample_weight":
            return ones
        of_task = tf.reduce_sum(sample_weight, axis=1)
        return tf.math.divide_no_nan(of_task, tf.reduce_mean(of_task))


def _mean_over_tasks(values: tf.Tensor) -> tf.Tensor:
    # The state of a random layer is a counter, which all tasks advance alike.
    return tf.reduce_mean(values, axis=0) if values.dtype.is_floating else values[0]
