"""What a learner answers in fixed episodes."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import TaskSequence, classes_of
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    check_learner_is_finite,
    check_task,
)
from tfmeta.evaluation.embedded_steps import (
    EmbeddedSteps,
    embedding_table,
    without_support_of_others,
)
from tfmeta.evaluation.outputs import Inputs, Kept, reader_of
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import FewShotLearner
from tfmeta.row_tables import RowTable, known_rows

# Queries of a task that are classified by themselves at the same time: the state
# is repeated for each.
_ALONE_TOGETHER = 32
# Episodes whose answers are counted at a time, and how many such lots are prepared
# ahead: a call of NumPy for each of a few episodes takes longer than they do.
_COUNTED_TOGETHER = 128
_LOTS_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class PredictedBatch:
    """Tasks, of one batch or of several, and what the learner answered.

    Attributes:
        participants: Int32 `(tasks, ways + distractors)`: class of each way, and of
            each distractor, -1 where padded; `None` where tasks have no classes.
        y: Of each query its way, int32 `(tasks, queries)`, in open-set episodes also
            beyond the ways of the support; or its target.
        real: Bool `(tasks, queries)`: False is padding.
        answers: What `reader_of` keeps of the outputs, `(tasks, queries)` each.
        alone: As `answers`, when each query is classified by itself; `None` where
            nobody asked.
    """

    participants: np.ndarray | None
    y: np.ndarray
    real: np.ndarray
    answers: dict[str, np.ndarray]
    alone: dict[str, np.ndarray] | None

    def classes(self, ways: np.ndarray) -> np.ndarray:
        """Int32 `(tasks, queries)`: class of a way of each query; of padding any."""
        assert self.participants is not None
        return np.take_along_axis(np.maximum(self.participants, 0), ways, axis=1)

    def first(self, tasks: int) -> PredictedBatch:
        """The first tasks."""
        return PredictedBatch(**_each(lambda part: part[:tasks], vars(self)))


class EpisodePredictor:
    """Runs a learner on episodes, of examples or of their embeddings.

    Args:
        learner: The learner.
        embeddings: Embeddings of all examples of the table of `Episodes`, for a
            learner with `independent_embeddings`; `None` to encode those of each
            episode.
        examples: What the learner takes in place of the examples of that table,
            features of a frozen encoder; `None` for the examples.

    Raises:
        ValueError: When the learner's weights are not finite.
    """

    def __init__(
        self,
        learner: FewShotLearner,
        embeddings: np.ndarray | None,
        *,
        examples: np.ndarray | None = None,
    ) -> None:
        check_learner_is_finite(learner)
        self._learner = learner
        self._embeddings = embeddings
        self._examples = examples if embeddings is None else embeddings
        self._read = reader_of(learner.task)

    def batches(
        self,
        episodes: TaskSequence,
        num_episodes: int,
        progress: Progress,
        *,
        alone: bool = False,
        support_ways: int | None = None,
    ) -> Iterator[PredictedBatch]:
        """The answers in the first `num_episodes` episodes.

        Args:
            episodes: The episodes.
            num_episodes: Their number.
            progress: Told of each batch.
            alone: Whether to classify each query by itself, too.
            support_ways: How many ways of each task have a support, the first
                ones; `None` for all. Queries of the others are classified all
                the same.

        Raises:
            ValueError: When the episodes are of another task than the learner, or
                fewer; at the end, when some answer was not finite; counts them.
        """
        steps = -(-num_episodes // episodes.tasks)
        unanswered = UnansweredQueries(self._learner)
        left = num_episodes
        for count, batch in (
            self._answers_of_steps(episodes, steps, support_ways)
            if self._can_answer_in_steps(alone)
            else self._answers_of_batches(episodes, steps, support_ways, alone=alone)
        ):
            batch = batch.first(left)
            answered = batch.answers["answered"]
            if batch.alone is not None:
                answered = answered & batch.alone["answered"]
            # All are counted, but where one is missing there is no figure.
            if unanswered.add(np.where(answered, 0, -1), batch.real):
                yield batch
            left -= len(batch.y)
            for _ in range(count):
                progress.step()
            if not left:
                break
        unanswered.check()
        if left:
            raise ValueError(
                f"`episodes` must give {num_episodes:,} episodes, {steps:,} batches of "
                f"{episodes.tasks}. Received: {num_episodes - left:,} episodes"
            )

    def _answers_of_batches(
        self,
        episodes: TaskSequence,
        steps: int,
        support_ways: int | None,
        *,
        alone: bool,
    ) -> Iterator[tuple[int, PredictedBatch]]:
        """Answers to batches that come from a sequence, and how many batches it are."""
        classes = classes_of(episodes)
        for step, batch in enumerate(self._stream(episodes).as_dataset(steps=steps)):
            inputs, y, *_ = tf.nest.map_structure(tf.convert_to_tensor, batch)
            check_task(self._learner, y)
            if support_ways is not None:
                inputs = without_support_of_others(inputs, support_ways)
            answers = self._answer(inputs, y)
            by_itself = self._answer_alone(inputs, y) if alone else None
            yield (
                1,
                PredictedBatch(
                    None if classes is None else classes.participants(step),
                    *_in_numpy((y, _real(inputs), answers, by_itself)),
                ),
            )

    def _answers_of_steps(
        self, episodes: TaskSequence, steps: int, support_ways: int | None
    ) -> Iterator[tuple[int, PredictedBatch]]:
        """The same, where a step draws, gathers and answers in one graph.

        Several steps run at a time, and what leaves the graph is small: embeddings of
        a batch stay in the caches of the core that gathered them.
        """
        assert isinstance(episodes, Episodes)
        drawn = EmbeddedSteps(episodes, self._table)
        logits_of, _, _ = self._verbs

        # Nor does Keras convert what a learner does, in whatever it traces.
        @tf.autograph.experimental.do_not_convert
        def answer(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
            with known_rows():
                inputs, y, participants = drawn.at(step, support_ways)
                check_task(self._learner, y)
                kept = self._read(logits_of(inputs), inputs, y)
            return participants, y, _real(inputs), kept

        at_once = tf.config.threading.get_inter_op_parallelism_threads()
        answers = tf.data.Dataset.range(steps).map(
            answer, num_parallel_calls=at_once or os.cpu_count(), deterministic=True
        )
        together = -(-_COUNTED_TOGETHER // episodes.tasks)
        # A step for each core, and not each step on all of them. There is nothing to
        # find out about three operations, and looking takes as long as many episodes.
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        lots = answers.batch(together).prefetch(_LOTS_AHEAD).with_options(options)
        for lot in lots:
            count = len(lot[0])
            participants, y, real, kept = _in_numpy(lot, batched=True)
            yield count, PredictedBatch(participants, y, real, kept, alone=None)

    def _can_answer_in_steps(self, alone: bool) -> bool:
        # `tf.data` runs on the host, where the learner's variables must lie.
        on_host = not tf.config.list_logical_devices("GPU")
        return self._embeddings is not None and on_host and not alone

    @functools.cached_property
    def _table(self) -> RowTable:
        assert self._embeddings is not None
        return embedding_table(self._embeddings)

    def _stream(self, episodes: TaskSequence) -> TaskSequence:
        if self._examples is None:
            return episodes
        assert isinstance(episodes, Episodes)
        return episodes.with_examples(self._examples)

    @functools.cached_property
    def _verbs(self) -> tuple[Callable, Callable, Callable]:
        """Logits of an episode; its state; logits of queries one by one."""
        learner = self._learner
        if self._embeddings is None:
            return (
                learner.episode_logits,
                learner.adapt_episode,
                learner.predict_each_query,
            )
        return (
            learner.embedded_logits,
            learner.adapt_embedded,
            learner.predict_each_embedded,
        )

    @functools.cached_property
    def _answer(self) -> Callable[[Inputs, tf.Tensor], Kept]:
        logits_of, _, _ = self._verbs

        @tf.function(reduce_retracing=True, autograph=False)
        def answer(inputs: Inputs, y: tf.Tensor) -> Kept:
            return self._read(logits_of(inputs), inputs, y)

        return answer

    def _answer_alone(self, inputs: Inputs, y: tf.Tensor) -> Kept:
        """Answers that no other query has a part in."""
        adapt, answer_each = self._graphs_alone
        state = adapt(inputs)
        queries = inputs["query"].shape[1]
        parts = []
        for start in range(0, queries, _ALONE_TOGETHER):
            few = slice(start, start + _ALONE_TOGETHER)
            parts.append(answer_each(state, inputs, inputs["query"][:, few], y[:, few]))
        return {name: tf.concat([p[name] for p in parts], axis=1) for name in parts[0]}

    @functools.cached_property
    def _graphs_alone(self) -> tuple[Callable, Callable]:
        _, adapt_verb, each_verb = self._verbs

        @tf.function(reduce_retracing=True, autograph=False)
        def adapt(inputs: Inputs) -> dict[str, tf.Tensor]:
            return adapt_verb(inputs)

        @tf.function(reduce_retracing=True, autograph=False)
        def answer_each(
            state: dict[str, tf.Tensor], inputs: Inputs, query: tf.Tensor, y: tf.Tensor
        ) -> Kept:
            return self._read(each_verb(state, query), inputs, y)

        return adapt, answer_each


def _in_numpy(values: Any, *, batched: bool = False) -> Any:
    """Tensors `(tasks, ...)`, or `(batches, tasks, ...)` one after the other."""

    def convert(part: tf.Tensor) -> np.ndarray:
        array = part.numpy()
        return array.reshape(-1, *array.shape[2:]) if batched else array

    return _each(convert, values)


def _each(function: Callable[[Any], Any], values: Any) -> Any:
    """`function` of each part of what may be nested; `None` stays."""
    return tf.nest.map_structure(
        lambda part: None if part is None else function(part), values
    )


def _real(inputs: Inputs) -> tf.Tensor:
    """Bool `(tasks, queries)`: False is padding."""
    if "query_mask" in inputs:
        return inputs["query_mask"]
    return tf.ones(tf.shape(inputs["query"])[:2], tf.bool)
