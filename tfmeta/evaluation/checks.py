"""What must hold before a figure is reported."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfmeta.episodes.task_sequence import TaskSequence, classes_of
from tfmeta.finite_checks import check_finite_weights
from tfmeta.learners import FewShotLearner

LEAST_EPISODES = 600


def check_num_episodes(num_episodes: int) -> None:
    """Checks that there are enough episodes for a figure.

    Raises:
        ValueError: When there are fewer than 600.
    """
    if num_episodes < LEAST_EPISODES:
        raise ValueError(
            f"`num_episodes` must be at least {LEAST_EPISODES}, fewer make no figure. "
            f"Received: num_episodes={num_episodes}"
        )


def check_unseen(episodes: TaskSequence, seen_classes: Iterable[str] | None) -> None:
    """Checks that neither training nor validation saw a class of the episodes.

    Episodes without classes have nothing to check.

    Raises:
        ValueError: When one was seen, or when it is not known.
    """
    classes = classes_of(episodes)
    if classes is None:
        return
    if seen_classes is None:
        raise ValueError(
            "`seen_classes` must name the classes that training and validation saw, "
            "or be empty for a learner that was trained on none; otherwise no figure "
            "can be called a test figure. Received: seen_classes=None"
        )
    shared = sorted(classes.emitted & set(seen_classes))
    if shared:
        raise ValueError(
            "test episodes must hold no class that training or validation saw. "
            f"Received: {len(shared)} such classes, among them "
            f"{', '.join(shared[:5])}"
        )


def check_learner_is_finite(learner: FewShotLearner) -> None:
    """Checks the weights of a learner.

    Raises:
        ValueError: When some are NaN or infinite; its answers may not show it.
    """
    check_finite_weights(f"a {type(learner).__name__}", learner.variables)


def present_ways(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Bool `(tasks, ways)`: which ways of an episode batch have a support."""
    real = inputs["support_labels"] > 0
    if "support_mask" in inputs:
        real &= inputs["support_mask"][:, :, None]
    return tf.reduce_any(real, axis=1)


def check_task(learner: FewShotLearner, y: tf.Tensor) -> None:
    """Checks that a learner is for what the queries of an episode ask.

    Raises:
        ValueError: When one of them is classification and the other regression.
    """
    asked = "classification" if y.dtype.is_integer else "regression"
    if learner.task != asked:
        raise ValueError(
            f"`episodes` must be of {learner.task}, for which the learner is. "
            f"Received: a {type(learner).__name__} with task={learner.task!r}, and "
            f"episodes whose y is {y.dtype.name} {tuple(y.shape)}, {asked}"
        )


def answered_ways(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """The way answered to each query, -1 where the logits are no answer.

    They are one when those of ways with a support are finite and all others `-inf`.

    Args:
        logits: `(tasks, queries, ways)`.
        present: Bool `(tasks, ways)`.

    Returns:
        Int32 `(tasks, queries)`.
    """
    absent = tf.logical_not(present)[:, None, :] & tf.math.is_inf(logits) & (logits < 0)
    right = tf.reduce_all(tf.math.is_finite(logits) | absent, axis=-1)
    right &= tf.reduce_any(present, axis=-1)[:, None]
    return tf.where(right, tf.argmax(logits, axis=-1, output_type=tf.int32), -1)


class UnansweredQueries:
    """Counts the queries that got no answer, over the batches of an evaluation.

    Args:
        learner: Whose answers they are.
    """

    def __init__(self, learner: FewShotLearner) -> None:
        self._name = type(learner).__name__
        self._wanted = "finite logits, -inf for ways without a support alone"
        if learner.task == "regression":
            self._wanted = "finite predictions"
        self._queries = self._unanswered = self._episodes = self._with_such = 0

    def add(self, ways: np.ndarray, real: np.ndarray | None = None) -> bool:
        """Counts a batch.

        Args:
            ways: Int `(tasks, queries)`, as of `answered_ways`.
            real: Bool `(tasks, queries)`, False is padding; `None` for no padding.

        Returns:
            Whether all queries so far got an answer.
        """
        missing = np.asarray(ways) < 0
        if real is not None:
            missing = missing & real
        self._queries += missing.size if real is None else int(np.sum(real))
        self._unanswered += int(missing.sum())
        self._episodes += len(missing)
        self._with_such += int(missing.any(axis=1).sum())
        return self._unanswered == 0

    def check(self) -> None:
        """Refuses a figure when a query got no answer.

        Raises:
            ValueError: With the counts.
        """
        if self._unanswered:
            raise ValueError(
                f"a {self._name} must answer with {self._wanted}. Received: others for "
                f"{self._unanswered:,} of {self._queries:,} queries, in "
                f"{self._with_such:,} of {self._episodes:,} episodes, so there is no "
                "figure to report"
            )
