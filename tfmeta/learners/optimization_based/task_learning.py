"""The two verbs of gradient-based learners, task by task."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmeta.layers.patch_convolution import patch_convolutions
from tfmeta.learners.base import State
from tfmeta.learners.optimization_based.inner_loop import run_inner_loop
from tfmeta.learners.optimization_based.inner_rules import Parameters
from tfmeta.learners.optimization_based.rematerialization import rematerialized
from tfmeta.learners.optimization_based.support_loss import (
    cross_entropy,
    squared_error,
)
from tfmeta.learners.optimization_based.task_map import is_vectorized, map_tasks
from tfmeta.learners.optimization_based.task_network import (
    Moving,
    Source,
    prototype_head,
)

if TYPE_CHECKING:
    from tfmeta.learners.optimization_based.gradient_based_learner import (
        GradientBasedLearner,
    )


@dataclasses.dataclass(frozen=True)
class Support:
    """The support of one task.

    Attributes:
        examples: `(support, *example)`.
        labels: `(support, ways)`, one-hot or targets.
        mask: `(support,)` bool, False is padding, or `None`.
        present: `(ways,)` bool: ways with a real row; all, for regression.
    """

    examples: tf.Tensor
    labels: tf.Tensor
    mask: tf.Tensor | None
    present: tf.Tensor


def whole_support(support: Support, step: int | tf.Tensor) -> Support:
    """What an inner step learns from: all of the support."""
    return support


class TaskLearning:
    """Adapts to single tasks and classifies their queries.

    Args:
        learner: Whose settings and weights count.
    """

    def __init__(self, learner: GradientBasedLearner) -> None:
        self.learner = learner
        self.network = learner.network

    def map(self, function: Callable[[Any], Any], tasks: Any, result: Any) -> Any:
        """As `map_tasks`, in the learner's formulation."""
        vectorized = is_vectorized(self.learner.vectorize_tasks)
        with patch_convolutions(self.learner.encoder, active=vectorized):
            return map_tasks(function, tasks, result, vectorized=vectorized)

    def support_of(self, task: dict[str, tf.Tensor]) -> Support:
        """The support among a task's inputs."""
        labels, mask = task["support_labels"], task.get("support_mask")
        outputs = labels.shape[-1]
        if self.learner.head == "linear" and outputs not in (None, self.learner.ways):
            raise ValueError(
                f"`support_labels` must have {self.learner.ways} ways, those of the "
                f"learner's linear head; head='prototypes' takes any number. "
                f"Received: {outputs} ways"
            )
        if self.learner.task == "regression":
            present = tf.ones(tf.shape(labels)[-1:], tf.bool)
        else:
            real = labels > 0
            if mask is not None:
                real &= mask[:, None]
            present = tf.reduce_any(real, axis=0)
        return Support(task["support"], labels, mask, present)

    def adapt_task(
        self,
        support: Support,
        moving: Moving,
        *,
        training: bool,
        after_step: Callable[[Parameters, int], None] | None = None,
        first_order: bool | None = None,
        choose: Callable[[Support, int | tf.Tensor], Support] = whole_support,
    ) -> Parameters:
        """Runs the inner loop of one task.

        Args:
            support: The support.
            moving: The encoder's non-trainable values; replaced as they change.
            training: Whether layers run in training mode, for the steps of training.
            after_step: Called with the parameters after each step and its number.
            first_order: Whether gradients are constants; the learner's by default.
            choose: What an inner step learns from, of a support and its number.
        """
        learner, network = self.learner, self.network
        source: Source = "layer" if self._is_running else "batch"

        def embed(
            parameters: Parameters, part: Support, step: int | tf.Tensor
        ) -> tf.Tensor:
            return network.embed(
                parameters,
                part.examples,
                moving,
                step=step,
                source=source,
                rows=part.mask,
                training=training,
            )[0]

        head = features = None
        if learner.head == "prototypes":
            features = embed(network.start([]), support, 0)
            head = prototype_head(features, support.labels, support.mask)
        start = network.start(head)
        if not learner.adapts_encoder and features is None:
            features = embed(start, support, 0)

        def loss(parameters: Parameters, step: int | tf.Tensor) -> tf.Tensor:
            part, embedded = support, features
            if learner.adapts_encoder:
                part = choose(support, step)
                embedded = embed(parameters, part, step)
            return self.support_loss(network.classify(parameters, embedded), part)

        rematerialize = None
        if learner.rematerialize and training:
            rematerialize = functools.partial(rematerialized, held=moving)
        return run_inner_loop(
            loss,
            learner.inner_rule,
            start,
            steps=self.steps(training),
            first_order=learner.first_order if first_order is None else first_order,
            rematerialize=rematerialize,
            after_step=after_step,
        )

    def support_loss(self, outputs: tf.Tensor, support: Support) -> tf.Tensor:
        """The loss that the inner loop lowers."""
        if self.learner.task == "regression":
            return squared_error(outputs, support.labels, support.mask)
        return cross_entropy(outputs, support.labels, support.mask, support.present)

    def steps(self, training: bool) -> int:
        """Number of inner steps."""
        learner = self.learner
        if training or learner.test_inner_steps is None:
            return learner.inner_steps
        return learner.test_inner_steps

    def query_outputs(
        self,
        parameters: Parameters,
        query: tf.Tensor,
        mask: tf.Tensor | None,
        present: tf.Tensor,
        moving: Moving,
        *,
        step: int,
        source: Source,
        training: bool,
    ) -> tf.Tensor:
        """Logits or predictions `(queries, outputs)` of one task."""
        features, _ = self.network.embed(
            parameters,
            query,
            moving,
            step=step,
            source=source,
            rows=mask,
            training=training,
        )
        outputs = self.network.classify(parameters, features)
        if self.learner.task == "regression":
            return outputs
        return tf.where(present, outputs, tf.constant(float("-inf"), outputs.dtype))

    def query_source(
        self,
        parameters: Parameters,
        support: Support,
        moving: Moving,
        *,
        step: int,
        training: bool,
    ) -> Source:
        """What normalizes the queries of a task that is learned from its examples."""
        if self.learner.batch_normalization == "support":
            return self.support_statistics(
                parameters, support, moving, step=step, training=training
            )
        return "layer" if self._is_running else "batch"

    def support_statistics(
        self,
        parameters: Parameters,
        support: Support,
        moving: Moving,
        *,
        step: int,
        training: bool,
    ) -> tf.Tensor:
        """Batch statistics of the support under adapted parameters."""
        return self.network.embed(
            parameters,
            support.examples,
            moving,
            step=step,
            source="batch",
            rows=support.mask,
            training=training,
            recording=True,
        )[1]

    def adapt(
        self,
        support: tf.Tensor,
        labels: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        training: bool,
    ) -> State:
        """States of all tasks."""
        names = self.learner.adapted_names()

        def adapt_one(task: dict[str, tf.Tensor]) -> State:
            own = self.support_of(task)
            moving = self.learner.moving_values()
            parameters = self.adapt_task(
                own, moving, training=training, choose=self.learner.choose_support(None)
            )
            state = dict(zip(names, parameters, strict=True))
            statistics = tf.zeros([0], self.dtype)
            if not self._is_running:
                statistics = self.support_statistics(
                    parameters,
                    own,
                    moving,
                    step=self.steps(training),
                    training=training,
                )
            return {**state, "present": own.present, "batch_statistics": statistics}

        tasks = {"support": support, "support_labels": labels}
        if mask is not None:
            tasks["support_mask"] = mask
        shapes = self.learner.adapted_shapes()
        if self.learner.head == "prototypes":
            ways = labels.shape[-1]
            shapes[-2:] = [(shapes[-2][0], ways), (ways,)]
        specs = {
            name: tf.TensorSpec(shape, self.dtype)
            for name, shape in zip(names, shapes, strict=True)
        }
        specs["present"] = tf.TensorSpec([labels.shape[-1]], tf.bool)
        specs["batch_statistics"] = tf.TensorSpec([None], self.dtype)
        return self.map(adapt_one, tasks, specs)

    def predict(
        self,
        state: State,
        query: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        training: bool = False,
        inductive: bool = False,
    ) -> tf.Tensor:
        """Outputs `(tasks, queries, outputs)` of all tasks."""
        names = self.learner.adapted_names()
        kind = self.learner.batch_normalization

        def predict_one(task: dict[str, tf.Tensor]) -> tf.Tensor:
            source: Source = "layer" if self._is_running else "batch"
            if kind == "support" or (inductive and kind == "query_batch"):
                source = task["batch_statistics"]
            return self.query_outputs(
                [task[name] for name in names],
                task["query"],
                task.get("query_mask"),
                task["present"],
                self.learner.moving_values(),
                step=self.steps(training),
                source=source,
                training=training,
            )

        tasks = {**state, "query": query}
        if mask is not None:
            tasks["query_mask"] = mask
        return self.map(predict_one, tasks, self.outputs_spec(query))

    def episode_outputs(
        self, inputs: dict[str, tf.Tensor], *, training: bool
    ) -> tf.Tensor:
        """Outputs of all tasks, adapted and classified one by one."""

        def learn_one(task: dict[str, tf.Tensor]) -> tf.Tensor:
            own = self.support_of(task)
            moving = self.learner.moving_values()
            parameters = self.adapt_task(
                own, moving, training=training, choose=self.learner.choose_support(None)
            )
            step = self.steps(training)
            return self.query_outputs(
                parameters,
                task["query"],
                task.get("query_mask"),
                own.present,
                moving,
                step=step,
                source=self.query_source(
                    parameters, own, moving, step=step, training=training
                ),
                training=training,
            )

        outputs = self.outputs_spec(inputs["query"])
        return self.map(learn_one, task_inputs(inputs), outputs)

    def outputs_spec(self, query: tf.Tensor) -> tf.TensorSpec:
        """Of the outputs for one task's part of `query`."""
        ways = None if self.learner.head == "prototypes" else self.learner.ways
        return tf.TensorSpec([query.shape[1], ways], self.dtype)

    @property
    def dtype(self) -> tf.DType:
        """What is adapted, and of outputs: float64 or float32."""
        wide = self.learner.encoder.variable_dtype == "float64"
        return tf.float64 if wide else tf.float32

    @property
    def _is_running(self) -> bool:
        return self.learner.batch_normalization == "running"


def task_inputs(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The parts of an episode batch that an inner loop takes."""
    names = ("support", "support_labels", "support_mask", "query", "query_mask")
    return {name: inputs[name] for name in names if name in inputs}
