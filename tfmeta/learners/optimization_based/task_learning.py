"""Adapting to one task, and classifying its queries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfmeta.finite import nan_unless
from tfmeta.learners.class_sums import only_present
from tfmeta.learners.inner_loop import gradients_of, run_inner_loop
from tfmeta.learners.inner_rules import Parameters
from tfmeta.learners.optimization_based.rematerialization import rematerialized
from tfmeta.learners.optimization_based.settings import InnerLoopSettings
from tfmeta.learners.optimization_based.support import Support
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


class Learned(NamedTuple):
    """A task from its support to its queries.

    Attributes:
        parameters: After the last inner step.
        rule_state: Of the inner rule, likewise.
        found: What was made of the queries, after the last step or after each.
    """

    parameters: Parameters
    rule_state: Any
    found: list[Any]


class TaskLearning:
    """Adapts to a single task and classifies its queries.

    Args:
        settings: How.
    """

    def __init__(self, settings: InnerLoopSettings) -> None:
        self.settings = settings
        self.network = settings.network

    def learn(
        self,
        task: dict[str, tf.Tensor],
        moving: Moving,
        finish: Callable[[tf.Tensor, tf.Tensor | None], Any],
        *,
        training: bool,
        first_order: bool | None = None,
        every_step: bool = False,
    ) -> Learned:
        """Support, inner loop, queries.

        Args:
            task: The task's inputs; `seed` where it is trained on.
            moving: The encoder's non-trainable values; replaced as they change.
            finish: What is to be made of the queries' outputs and of what layers add
                to the losses there, as `query_outputs` returns them.
            training: Whether layers run in training mode, for the steps of training.
            first_order: Whether gradients are constants; the settings' by default.
            every_step: Whether queries are classified after each inner step and not
                after the last alone.
        """
        support = self.support_of(task)
        last = self.steps(training)
        found: list[Any] = []

        def look(parameters: Parameters, step: int) -> None:
            def find(parameters: Parameters) -> Any:
                source = self.query_source(
                    parameters, support, moving, step=step, training=training
                )
                outputs, added = self.query_outputs(
                    parameters,
                    task["query"],
                    task.get("query_mask"),
                    support.present,
                    moving,
                    step=step,
                    source=source,
                    training=training,
                    adding=True,
                )
                return finish(outputs, added)

            # The gradient begins with the last pass, which is still at hand.
            if self.settings.rematerialize and step < last:
                find = rematerialized(find, held=moving)
            found.append(find(parameters))

        parameters, state = self.adapt_task(
            support,
            moving,
            training=training,
            seed=task.get("seed"),
            first_order=first_order,
            after_step=(lambda parameters, step: look(parameters, step + 1))
            if every_step
            else None,
        )
        if not every_step:
            look(parameters, last)
        return Learned(parameters, state, found)

    def support_of(self, task: dict[str, tf.Tensor]) -> Support:
        """The support among a task's inputs.

        With `present` among them, of a state that the task goes on from, those ways
        stay.
        """
        settings = self.settings
        labels, mask = task["support_labels"], task.get("support_mask")
        outputs = labels.shape[-1]
        if settings.head == "linear" and outputs not in (None, settings.ways):
            raise ValueError(
                f"`support_labels` must have {settings.ways} ways, those of the "
                f"learner's linear head; head='prototypes' takes any number. "
                f"Received: {outputs} ways"
            )
        if settings.task == "regression":
            present = tf.ones(tf.shape(labels)[-1:], tf.bool)
        else:
            real = labels > 0
            if mask is not None:
                real &= mask[:, None]
            present = tf.reduce_any(real, axis=0)
            if "present" in task:
                present |= task["present"]
        return Support(task["support"], labels, mask, present)

    def adapt_task(
        self,
        support: Support,
        moving: Moving,
        *,
        training: bool,
        seed: tf.Tensor | None = None,
        start: Parameters | None = None,
        first_order: bool | None = None,
        after_step: Callable[[Parameters, int], None] | None = None,
    ) -> tuple[Parameters, Any]:
        """Runs the inner loop of one task.

        Args:
            support: The support.
            moving: The encoder's non-trainable values; replaced as they change.
            training: Whether layers run in training mode, for the steps of training.
            seed: Int32 `(2,)`, of a task that is trained on.
            start: What to go on from; by default where every task starts.
            first_order: Whether gradients are constants; the settings' by default.
            after_step: Called with the parameters after each step and its number.

        Returns:
            The adapted parameters, and the state of the inner rule.
        """
        settings, network = self.settings, self.network
        source: Source = "layer" if self.uses_running_averages else "batch"
        choose = settings.choose_support(seed)

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

        features = None
        if start is None:
            head = None
            if settings.head == "prototypes":
                features = embed(network.start([]), support, 0)
                head = prototype_head(features, support.labels, support.mask)
            start = network.start(head)
        if not network.adapts_encoder and features is None:
            features = embed(start, support, 0)

        def loss(parameters: Parameters, step: int | tf.Tensor) -> tf.Tensor:
            part, embedded = support, features
            if network.adapts_encoder:
                part = choose(support, step)
                embedded = embed(parameters, part, step)
            return self.support_loss(network.classify(parameters, embedded), part)

        rematerialize = None
        if settings.rematerialize and training:
            rematerialize = functools.partial(rematerialized, held=moving)
        if first_order is None:
            first_order = settings.first_order
        return run_inner_loop(
            gradients_of(loss, first_order=first_order),
            settings.rule,
            start,
            steps=self.steps(training),
            rematerialize=rematerialize,
            after_step=after_step,
        )

    def support_loss(self, outputs: tf.Tensor, support: Support) -> tf.Tensor:
        """The loss that the inner loop lowers."""
        if self.settings.task == "regression":
            return squared_error(outputs, support.labels, support.mask)
        return cross_entropy(outputs, support.labels, support.mask, support.present)

    def steps(self, training: bool) -> int:
        """Number of inner steps."""
        return self.settings.steps if training else self.settings.test_steps

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
        if self.settings.task == "regression":
            return outputs, added
        return only_present(outputs[None], present[None])[0], added

    def _check_gathers(self) -> None:
        if is_vectorized(self.settings.vectorize_tasks):
            raise ValueError(
                "`vectorize_tasks` must be False where queries are padded and a layer "
                "of the encoder adds a loss of its own (activity_regularizer, "
                "ActivityRegularization, add_loss), which padding must not count in. "
                f"Received: vectorize_tasks={self.settings.vectorize_tasks!r}"
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
        if self.settings.statistics == "support":
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
    def uses_running_averages(self) -> bool:
        """Whether moving averages normalize, and not a batch."""
        return self.settings.statistics == "running"
