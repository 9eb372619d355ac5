"""Adds up what a learner answered, batch by batch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.confusion import Confusion
from tfmeta.evaluation.prediction import PredictedBatch


class Tally(Protocol):
    """Figures per episode, and what else a result holds of answers."""

    def add(self, batch: PredictedBatch) -> None:
        """Counts the answers of a batch."""

    @property
    def per_episode(self) -> np.ndarray:
        """Float64 `(episodes,)`."""

    @property
    def per_episode_alone(self) -> np.ndarray:
        """As `per_episode`, each query answered by itself."""

    def found(self) -> dict[str, Any]:
        """Fields of an `EvaluationResult`."""


class ErrorTally:
    """Mean squared errors per episode."""

    def __init__(self) -> None:
        self._errors: list[np.ndarray] = []
        self._errors_alone: list[np.ndarray] = []

    def add(self, batch: PredictedBatch) -> None:
        """Counts the answers of a batch."""
        errors = batch.answers["squared_error"]
        self._errors.append(_means(errors, batch.real))
        if batch.alone is not None:
            alone = batch.alone["squared_error"]
            self._errors_alone.append(_means(alone, batch.real))

    @property
    def per_episode(self) -> np.ndarray:
        """Float64 `(episodes,)`: mean squared errors."""
        return np.concatenate(self._errors)

    @property
    def per_episode_alone(self) -> np.ndarray:
        """Float64 `(episodes,)`, each query answered by itself."""
        return np.concatenate(self._errors_alone)

    def found(self) -> dict[str, Any]:
        """Fields of an `EvaluationResult`."""
        return {"episode_squared_errors": self.per_episode}


class AnswerTally:
    """Accuracies per episode, and counts per class.

    Args:
        num_classes: Number of all classes; `None` where tasks have none.
        two_ways: Whether all episodes have two ways with queries of both, and so
            an area under the ROC curve.
    """

    def __init__(self, num_classes: int | None, *, two_ways: bool) -> None:
        self._num_classes = num_classes
        self._correct = np.zeros(num_classes or 0, np.int64)
        self._total = np.zeros(num_classes or 0, np.int64)
        self._two_ways = two_ways
        self._accuracies: list[np.ndarray] = []
        self._accuracies_alone: list[np.ndarray] = []
        self._areas: list[np.ndarray] = []
        self._reliability: list[Reliability] = []
        self._confusion: list[Confusion] = []

    def add(self, batch: PredictedBatch) -> None:
        """Counts the answers of a batch."""
        real, answers = batch.real, batch.answers
        predicted = answers["predicted"]
        correct = (predicted == batch.y) & real
        self._accuracies.append(_means(correct, real))
        if batch.alone is not None:
            right = batch.alone["predicted"] == batch.y
            self._accuracies_alone.append(_means(right, real))
        if self._two_ways:
            self._areas.append(auroc(answers["margin"], batch.y == 1))
        # Every episode counts alike, as in the accuracy, however many ways it has.
        weight = real.shape[1] / np.broadcast_to(
            real.sum(axis=1, keepdims=True), real.shape
        )
        probability = answers["probability"][real]
        self._reliability.append(
            Reliability.of(probability, correct[real], weight=weight[real])
        )
        if self._num_classes is not None:
            self._add_classes(batch, correct, self._num_classes)

    def _add_classes(
        self, batch: PredictedBatch, correct: np.ndarray, num_classes: int
    ) -> None:
        true, real = batch.classes(batch.y), batch.real
        taken_for = batch.classes(batch.answers["predicted"])
        self._correct += np.bincount(true[correct], minlength=num_classes)
        self._total += np.bincount(true[real], minlength=num_classes)
        self._confusion.append(Confusion.of(true[real], taken_for[real]))

    @property
    def per_episode(self) -> np.ndarray:
        """Float64 `(episodes,)`: accuracies."""
        return np.concatenate(self._accuracies)

    @property
    def per_episode_alone(self) -> np.ndarray:
        """Float64 `(episodes,)`, each query classified by itself."""
        return np.concatenate(self._accuracies_alone)

    def found(self) -> dict[str, Any]:
        """Fields of an `EvaluationResult`."""
        first, *others = self._reliability
        found = {
            "episode_accuracies": self.per_episode,
            "episode_auroc": np.concatenate(self._areas) if self._two_ways else None,
            "reliability": sum(others, start=first),
        }
        if self._num_classes is None:
            return found
        return {
            **found,
            "class_correct": self._correct,
            "class_total": self._total,
            "confusion": Confusion.sum(self._confusion),
        }


def _means(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Means over the real queries of each episode."""
    return np.where(real, values, 0).sum(axis=1) / real.sum(axis=1)
