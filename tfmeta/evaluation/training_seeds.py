"""How much of a figure is the luck of one training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfmeta.evaluation.comparison import check_same_protocol
from tfmeta.evaluation.intervals import student_t
from tfmeta.evaluation.result import EvaluationResult
from tfmeta.finite_checks import check_finite


@dataclasses.dataclass(frozen=True)
class TrainingSeeds:
    """Accuracy of several trainings that differ in their seed alone.

    Attributes:
        accuracies: Of each training, from 0 to 1.
    """

    accuracies: tuple[float, ...]

    def __post_init__(self) -> None:
        check_finite("accuracies", self.accuracies)

    @property
    def mean(self) -> float:
        """Mean accuracy over trainings."""
        return float(np.mean(self.accuracies))

    @property
    def standard_deviation(self) -> float:
        """Spread of the trainings: of one figure, not of the mean."""
        return float(np.std(self.accuracies, ddof=1))

    @property
    def half_width(self) -> float:
        """Half-width of the 95 % interval of the mean: `t·s/√n`, Student's t.

        It covers the luck of training, nothing else: all trainings have the same
        training classes and are measured on the same test episodes.
        """
        runs = len(self.accuracies)
        return student_t(runs - 1) * self.standard_deviation / math.sqrt(runs)

    def __str__(self) -> str:
        return (
            f"{100 * self.mean:.2f} %, mean of {len(self.accuracies)} trainings\n"
            f"  standard deviation        {100 * self.standard_deviation:.2f}"
            "  (of one training)\n"
            f"  95 % over training seeds  ± {100 * self.half_width:.2f}"
            "  (of the mean, Student's t)"
        )


def over_training_seeds(results: Sequence[EvaluationResult]) -> TrainingSeeds:
    """The spread of trainings of different seed.

    It stands beside the interval over episode draws and that over test classes:
    neither says what another training would have given.

    Args:
        results: One of each training, on the same episodes; that the trainings
            differ in their seed alone is for the caller to see to.

    Raises:
        ValueError: When there are fewer than two, or they are of other episodes.

    Example:

    ```python
    spread = over_training_seeds([evaluate(l, test, seen_classes=s) for l in learners])
    print(f"{spread.mean:.3f}, standard deviation {spread.standard_deviation:.3f}")
    ```
    """
    if len(results) < 2:
        raise ValueError(
            "a spread over training seeds needs results of at least 2 trainings. "
            f"Received: {len(results)}"
        )
    for result in results[1:]:
        check_same_protocol(results[0], result)
    return TrainingSeeds(tuple(result.accuracy for result in results))
