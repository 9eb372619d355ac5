"""Whether probabilities mean what they say."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.finite_checks import check_finite, check_some


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """Answers in bins of their probability, as a reliability diagram shows them.

    Bin number `i` of `n` holds the probabilities above `i / n` and up to
    `(i + 1) / n`.

    Attributes:
        count: Float64 `(bins,)`: answers, each by its weight.
        probability: Float64 `(bins,)`: sum of their probabilities.
        correct: Float64 `(bins,)`: right ones among them.
    """

    count: np.ndarray
    probability: np.ndarray
    correct: np.ndarray

    @classmethod
    def of(
        cls,
        probability: np.ndarray,
        correct: np.ndarray,
        *,
        weight: np.ndarray | None = None,
        bins: int = 15,
    ) -> Reliability:
        """Sorts answers into bins.

        Args:
            probability: Float `(answers,)`: of the class answered, from 0 to 1.
            correct: Bool `(answers,)`.
            weight: Float `(answers,)`, `None` for 1 each.
            bins: Number of bins of equal width.

        Raises:
            ValueError: When the shapes differ, there are no answers, or one of the
                probabilities is none.
        """
        probability = np.asarray(probability, np.float64)
        if probability.ndim != 1 or np.shape(correct) != probability.shape:
            raise ValueError(
                "`probability` and `correct` must have one shape, (answers,). "
                f"Received: {probability.shape} and {np.shape(correct)}"
            )
        check_some("probability", probability)
        check_finite("probability", probability)
        # Rounding may take a softmax a little beyond 1.
        outside = np.count_nonzero((probability < 0) | (probability > 1 + 1e-3))
        if outside:
            raise ValueError(
                "`probability` must be from 0 to 1. Received: "
                f"{outside} of {probability.size} beyond"
            )
        # By the edges themselves: products with `bins` lie a hair beside them.
        place = np.searchsorted(np.arange(1, bins) / bins, probability)

        weight = np.ones(len(place)) if weight is None else weight

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(place, weight * values, bins)

        return cls(
            count=total(np.ones(len(place))),
            probability=total(probability),
            correct=total(np.asarray(correct)),
        )

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.count + other.count,
            self.probability + other.probability,
            self.correct + other.correct,
        )

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of probability and accuracy over the answers, by bin.

        From 0, where of the answers given with 80 % four in five are right, to 1.
        Guo, Pleiss, Sun and Weinberger (2017), *On Calibration of Modern Neural
        Networks*: the sum over bins of `|B| / n * |accuracy(B) - probability(B)|`.
        """
        gaps = np.abs(self.correct - self.probability)
        return float(np.sum(gaps) / np.sum(self.count))

    def to_json(self) -> dict[str, list]:
        """A dict of plain values."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, list]) -> Reliability:
        """The bins of a `to_json`."""
        return cls(
            **{
                name: np.array(values[name], np.float64)
                for name in ("count", "probability", "correct")
            }
        )
