"""Adds up what a learner answered, batch by batch."""

from __future__ import annotations

import numpy as np

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.confusion import Confusion
from tfmeta.evaluation.prediction import PredictedBatch


class Tally:
    """Figures per episode and per class.

    Args:
        num_classes: Number of classes of the table.
        two_ways: Whether all episodes have two ways with queries of both, and so
            an area under the ROC curve.
    """

    def __init__(self, num_classes: int, *, two_ways: bool) -> None:
        self.class_correct = np.zeros(num_classes, np.int64)
        self.class_total = np.zeros(num_classes, np.int64)
        self._two_ways = two_ways
        self._accuracies: list[np.ndarray] = []
        self._accuracies_alone: list[np.ndarray] = []
        self._areas: list[np.ndarray] = []
        self._reliability: list[Reliability] = []
        self._confusion: list[Confusion] = []

    def add(self, batch: PredictedBatch) -> None:
        """Counts the answers of a batch."""
        real = batch.real
        correct = (batch.predicted == batch.y) & real
        self._accuracies.append(_shares(correct, real))
        if batch.alone is not None:
            self._accuracies_alone.append(
                _shares((batch.alone == batch.y) & real, real)
            )
        if self._two_ways:
            self._areas.append(auroc(batch.margin, batch.y == 1))
        classes = batch.true_classes
        num_classes = len(self.class_total)
        self.class_correct += np.bincount(classes[correct], minlength=num_classes)
        self.class_total += np.bincount(classes[real], minlength=num_classes)
        # Every episode counts alike, as in the accuracy, however many ways it has.
        weight = real.shape[1] / np.broadcast_to(
            real.sum(axis=1, keepdims=True), real.shape
        )
        self._reliability.append(
            Reliability.of(batch.probability[real], correct[real], weight=weight[real])
        )
        self._confusion.append(
            Confusion.of(classes[real], batch.predicted_classes[real])
        )

    @property
    def episode_accuracies(self) -> np.ndarray:
        """Float64 `(episodes,)`."""
        return np.concatenate(self._accuracies)

    @property
    def episode_accuracies_alone(self) -> np.ndarray:
        """Float64 `(episodes,)`, each query classified by itself."""
        return np.concatenate(self._accuracies_alone)

    @property
    def episode_auroc(self) -> np.ndarray | None:
        """Float64 `(episodes,)`, where episodes have two ways."""
        return np.concatenate(self._areas) if self._two_ways else None

    @property
    def reliability(self) -> Reliability:
        """Of all answers."""
        first, *others = self._reliability
        return sum(others, start=first)

    @property
    def confusion(self) -> Confusion:
        """Of all answers."""
        return Confusion.sum(self._confusion)


def _shares(correct: np.ndarray, real: np.ndarray) -> np.ndarray:
    return correct.sum(axis=1) / real.sum(axis=1)
