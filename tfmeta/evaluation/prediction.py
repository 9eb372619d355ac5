"""What a learner answers in fixed episodes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfmeta.episodes import Episodes
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    answered_ways,
    check_learner_is_finite,
    present_ways,
)
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import FewShotLearner

Inputs = dict[str, tf.Tensor]

# Queries of a task that are classified by themselves at the same time: the state
# is repeated for each.
_ALONE_TOGETHER = 32


@dataclasses.dataclass(frozen=True)
class PredictedBatch:
    """A batch of tasks and what the learner answered.

    Attributes:
        class_ids: Int32 `(tasks, ways)`: class of each way, -1 where padded.
        y: Int32 `(tasks, queries)`: the way of each query. Of open-set episodes
            also those beyond the ways of the support.
        real: Bool `(tasks, queries)`: False is padding.
        predicted: Int32 `(tasks, queries)`: the way answered.
        probability: Float `(tasks, queries)`: of the answer, by the softmax.
        top_logit: Float `(tasks, queries)`: of the answer.
        margin: Float64 `(tasks, queries)`: logit of way 1 minus that of way 0.
        alone: As `predicted`, when each query is classified by itself; `None`
            where nobody asked.
    """

    class_ids: np.ndarray
    y: np.ndarray
    real: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    top_logit: np.ndarray
    margin: np.ndarray
    alone: np.ndarray | None

    @property
    def true_classes(self) -> np.ndarray:
        """Int32 `(tasks, queries)`: class of each query; of padding any class."""
        return np.take_along_axis(np.maximum(self.class_ids, 0), self.y, axis=1)

    @property
    def predicted_classes(self) -> np.ndarray:
        """As `true_classes`, of the answers."""
        return np.take_along_axis(np.maximum(self.class_ids, 0), self.predicted, axis=1)


class EpisodePredictor:
    """Runs a learner on episodes, of examples or of their embeddings.

    Args:
        learner: The learner.
        embeddings: Embeddings of all examples of the episodes' table, for a learner
            with `independent_embeddings`; `None` to encode those of each episode.

    Raises:
        ValueError: When the learner's weights are not finite.
    """

    def __init__(self, learner: FewShotLearner, embeddings: np.ndarray | None) -> None:
        check_learner_is_finite(learner)
        self._learner = learner
        self._embeddings = embeddings

    def batches(
        self,
        episodes: Episodes,
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
            ValueError: At the end, when some answer was not finite; counts them.
        """
        stream = episodes
        if self._embeddings is not None:
            stream = episodes.with_examples(self._embeddings)
        steps = -(-num_episodes // episodes.tasks)
        unanswered = UnansweredQueries(self._learner)
        for step, (inputs, y, *_) in enumerate(stream.as_dataset(steps=steps)):
            if support_ways is not None:
                inputs = _without_support_of_others(inputs, support_ways)
            left = num_episodes - step * episodes.tasks
            answers = {k: v.numpy()[:left] for k, v in self._answer(inputs).items()}
            real = np.ones(answers["predicted"].shape, bool)
            if "query_mask" in inputs:
                real = inputs["query_mask"].numpy()[:left]
            alone_ways = self._answer_alone(inputs)[:left] if alone else None
            ways = answers["predicted"]
            if alone_ways is not None:
                ways = np.minimum(ways, alone_ways)
            # All are counted, but where one is missing there is no figure.
            if unanswered.add(ways, real):
                yield PredictedBatch(
                    class_ids=episodes.class_ids(step)[:left],
                    y=y.numpy()[:left],
                    real=real,
                    alone=alone_ways,
                    **answers,
                )
            progress.step()
        unanswered.check()

    @functools.cached_property
    def _answer(self) -> Callable[[Inputs], dict[str, tf.Tensor]]:
        learner, embedded = self._learner, self._embeddings is not None

        @tf.function(reduce_retracing=True)
        def answer(inputs: Inputs) -> dict[str, tf.Tensor]:
            if embedded:
                logits = learner.embedded_logits(inputs)
            else:
                logits = learner.episode_logits(inputs, training=False)
            return _summary(logits, present_ways(inputs))

        return answer

    def _answer_alone(self, inputs: Inputs) -> np.ndarray:
        """Int32 `(tasks, queries)`: answers that no other query has a part in."""
        adapt, classify = self._verbs
        state = adapt(inputs)
        query, present = inputs["query"], present_ways(inputs)
        return np.concatenate(
            [
                classify(
                    state, query[:, start : start + _ALONE_TOGETHER], present
                ).numpy()
                for start in range(0, query.shape[1], _ALONE_TOGETHER)
            ],
            axis=1,
        )

    @functools.cached_property
    def _verbs(self) -> tuple[Callable, Callable]:
        """`adapt(inputs)`, and `classify(state, query, present)` one by one."""
        learner, embedded = self._learner, self._embeddings is not None

        @tf.function(reduce_retracing=True)
        def adapt(inputs: Inputs) -> dict[str, tf.Tensor]:
            if embedded:
                return learner.adapt_embedded(inputs)
            return learner.adapt_episode(inputs)

        @tf.function(reduce_retracing=True)
        def classify(
            state: dict[str, tf.Tensor], query: tf.Tensor, present: tf.Tensor
        ) -> tf.Tensor:
            if embedded:
                logits = learner.predict_each_embedded(state, query)
            else:
                logits = learner.predict_each_query(state, query)
            return answered_ways(logits, present)

        return adapt, classify


def _summary(logits: tf.Tensor, present: tf.Tensor) -> dict[str, tf.Tensor]:
    # All logits of tasks of many ways would be too many to keep.
    top = tf.reduce_max(logits, axis=-1)
    wide = tf.cast(logits[..., :2], tf.float64)
    return {
        "predicted": answered_ways(logits, present),
        "probability": tf.exp(top - tf.reduce_logsumexp(logits, axis=-1)),
        "top_logit": top,
        "margin": wide[..., 1] - wide[..., 0],
    }


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
