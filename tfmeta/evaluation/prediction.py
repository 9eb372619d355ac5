"""What a learner answers in fixed episodes."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import TaskSequence, classes_of
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    check_learner_is_finite,
    check_task,
)
from tfmeta.evaluation.outputs import Inputs, Kept, reader_of
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import FewShotLearner

# Queries of a task that are classified by themselves at the same time: the state
# is repeated for each.
_ALONE_TOGETHER = 32
_STEPS_AHEAD = 16


class _Answer(NamedTuple):
    """What a learner answered to a batch, padded tasks included."""

    kept: Kept
    real: tf.Tensor
    y: tf.Tensor
    alone: Kept | None


@dataclasses.dataclass(frozen=True)
class PredictedBatch:
    """A batch of tasks and what the learner answered.

    Attributes:
        class_ids: Int32 `(tasks, ways)`: class of each way, -1 where padded; `None`
            where tasks have no classes.
        y: Of each query its way, int32 `(tasks, queries)`, in open-set episodes also
            beyond the ways of the support; or its target.
        real: Bool `(tasks, queries)`: False is padding.
        answers: What `reader_of` keeps of the outputs, `(tasks, queries)` each.
        alone: As `answers`, when each query is classified by itself; `None` where
            nobody asked.
    """

    class_ids: np.ndarray | None
    y: np.ndarray
    real: np.ndarray
    answers: dict[str, np.ndarray]
    alone: dict[str, np.ndarray] | None

    def classes(self, ways: np.ndarray) -> np.ndarray:
        """Int32 `(tasks, queries)`: class of a way of each query; of padding any."""
        assert self.class_ids is not None
        return np.take_along_axis(np.maximum(self.class_ids, 0), ways, axis=1)


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
        classes = classes_of(episodes)
        steps = -(-num_episodes // episodes.tasks)
        unanswered = UnansweredQueries(self._learner)
        left = num_episodes
        stream = self._stream(episodes)
        for step, answer in enumerate(
            self._answers_of_steps(stream, steps, support_ways)
            if self._can_answer_in_steps(alone)
            else self._answers_of_batches(stream, steps, support_ways, alone=alone)
        ):
            answers, real, y = (
                _first(left, part) for part in (answer.kept, answer.real, answer.y)
            )
            by_itself = None if answer.alone is None else _first(left, answer.alone)
            answered = answers["answered"]
            if by_itself is not None:
                answered = answered & by_itself["answered"]
            # All are counted, but where one is missing there is no figure.
            if unanswered.add(np.where(answered, 0, -1), real):
                yield PredictedBatch(
                    class_ids=None if classes is None else classes.of_ways(step)[:left],
                    y=y,
                    real=real,
                    answers=answers,
                    alone=by_itself,
                )
            left -= len(real)
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
    ) -> Iterator[_Answer]:
        """The answers to batches that come from a sequence, one after the other."""
        for batch in episodes.as_dataset(steps=steps):
            inputs, y, *_ = tf.nest.map_structure(tf.convert_to_tensor, batch)
            check_task(self._learner, y)
            if support_ways is not None:
                inputs = _without_support_of_others(inputs, support_ways)
            yield _Answer(
                self._answer(inputs, y),
                _real(inputs),
                y,
                self._answer_alone(inputs, y) if alone else None,
            )

    def _answers_of_steps(
        self, episodes: TaskSequence, steps: int, support_ways: int | None
    ) -> Iterator[_Answer]:
        """The same, where a step draws, gathers and answers in one graph.

        Several steps run at a time, and what leaves the graph is small: embeddings of
        a batch stay in the caches of the core that gathered them.
        """
        assert isinstance(episodes, Episodes)
        logits_of, _, _ = self._verbs

        def answer(step: tf.Tensor) -> tuple[Kept, tf.Tensor, tf.Tensor]:
            inputs, y, *_ = episodes.batch(step)
            check_task(self._learner, y)
            if support_ways is not None:
                inputs = _without_support_of_others(inputs, support_ways)
            return self._read(logits_of(inputs), inputs, y), _real(inputs), y

        at_once = tf.config.threading.get_inter_op_parallelism_threads()
        answers = tf.data.Dataset.range(steps).map(
            answer, num_parallel_calls=at_once or os.cpu_count(), deterministic=True
        )
        for kept, real, y in answers.prefetch(_STEPS_AHEAD):
            yield _Answer(kept, real, y, None)

    def _can_answer_in_steps(self, alone: bool) -> bool:
        # `tf.data` runs on the host, where the learner's variables must lie.
        on_host = not tf.config.list_logical_devices("GPU")
        return self._embeddings is not None and on_host and not alone

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

        @tf.function(reduce_retracing=True)
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

        @tf.function(reduce_retracing=True)
        def adapt(inputs: Inputs) -> dict[str, tf.Tensor]:
            return adapt_verb(inputs)

        @tf.function(reduce_retracing=True)
        def answer_each(
            state: dict[str, tf.Tensor], inputs: Inputs, query: tf.Tensor, y: tf.Tensor
        ) -> Kept:
            return self._read(each_verb(state, query), inputs, y)

        return adapt, answer_each


def _first(count: int, values: Any) -> Any:
    """The first tasks of a tensor, or of each of a dict, in NumPy."""
    return tf.nest.map_structure(lambda part: part.numpy()[:count], values)


def _real(inputs: Inputs) -> tf.Tensor:
    """Bool `(tasks, queries)`: False is padding."""
    if "query_mask" in inputs:
        return inputs["query_mask"]
    return tf.ones(tf.shape(inputs["query"])[:2], tf.bool)


def _without_support_of_others(inputs: Inputs, ways: int) -> Inputs:
    """The inputs with the support of the first `ways` ways alone."""
    # Support rows are in the order of their ways, equally many of each.
    all_ways = inputs["support_labels"].shape[-1]
    rows = inputs["support"].shape[1] // all_ways * ways
    kept = {
        name: part[:, :rows]
        for name, part in inputs.items()
        if name in ("support", "support_labels", "support_mask")
    }
    kept["support_labels"] = kept["support_labels"][..., :ways]
    return {**inputs, **kept}
