"""Adapting to one task, and classifying its queries."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmeta.finite import nan_unless
from tfmeta.learners.metric_based.class_sums import only_present
from tfmeta.learners.optimization_based.inner_loop import run_inner_loop
from tfmeta.learners.optimization_based.inner_rules import Parameters
from tfmeta.learners.optimization_based.rematerialization import rematerialized
from tfmeta.learners.optimization_based.support_loss import (
    cross_entropy,
    squared_error,
)
from tfmeta.learners.optimization_based.task_map import is_vectorized
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
    """Adapts to a single task and classifies its queries.

    Args:
        learner: Whose settings and weights count.
    """

    def __init__(self, learner: GradientBasedLearner) -> None:
        self.learner = learner
        self.network = learner.network

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
    ) -> tuple[Parameters, Any]:
        """Runs the inner loop of one task.

        Args:
            support: The support.
            moving: The encoder's non-trainable values; replaced as they change.
            training: Whether layers run in training mode, for the steps of training.
            after_step: Called with the parameters after each step and its number.
            first_order: Whether gradients are constants; the learner's by default.
            choose: What an inner step learns from, of a support and its number.

        Returns:
            The adapted parameters, and the state of the inner rule.
        """
        learner, network = self.learner, self.network
        source: Source = "layer" if self.uses_running_averages else "batch"

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
            ).features

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
        adding: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Logits or predictions `(queries, outputs)` of one task.

        Args:
            parameters: What the task adapted.
            query: `(queries, *example)`.
            mask: `(queries,)` bool, False is padding, or `None`.
            present: `(ways,)` bool.
            moving: The encoder's non-trainable values; replaced as they change.
            step: Number of inner steps taken.
            source: What normalizes.
            training: Whether layers run in training mode.
            adding: Whether what layers add to the losses is wanted.

        Returns:
            The outputs, and what layers added to the losses over real queries, `None`
            where nothing did.
        """
        embed = functools.partial(
            self.network.embed, parameters, step=step, source=source, training=training
        )
        sound = self.network.is_finite(parameters, moving, step=step, source=source)
        before = list(moving)
        features, _, added = embed(query, moving, rows=mask)
        if adding and added is not None and mask is not None:
            # Padded rows have activities, too, and only the layer knows which.
            self._check_gathers()
            moving[:] = before
            real, _, added = embed(tf.boolean_mask(query, mask), moving)
            features = tf.scatter_nd(
                tf.where(mask), real, tf.shape(features, out_type=tf.int64)
            )
        outputs = nan_unless(sound, self.network.classify(parameters, features))
        if self.learner.task == "regression":
            return outputs, added
        return only_present(outputs[None], present[None])[0], added

    def _check_gathers(self) -> None:
        if is_vectorized(self.learner.vectorize_tasks):
            raise ValueError(
                "`vectorize_tasks` must be False where queries are padded and a layer "
                "of the encoder adds a loss of its own (activity_regularizer, "
                "ActivityRegularization, add_loss), which padding must not count in. "
                f"Received: vectorize_tasks={self.learner.vectorize_tasks!r}"
            )

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
        return "layer" if self.uses_running_averages else "batch"

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
        ).statistics

    @property
    def dtype(self) -> tf.DType:
        """What is adapted, and of outputs: float64 or float32."""
        wide = self.learner.encoder.variable_dtype == "float64"
        return tf.float64 if wide else tf.float32

    @property
    def uses_running_averages(self) -> bool:
        """Whether moving averages normalize, and not a batch."""
        return self.learner.batch_normalization == "running"
