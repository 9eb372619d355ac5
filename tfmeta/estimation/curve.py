"""Expected accuracy by the number of examples, and how it goes on beyond those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfmeta.estimation.expectation import CurvePoint, Share
from tfmeta.estimation.folds import with_shots
from tfmeta.estimation.refits import Refits, Split

SHOTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# Draws of so few shots, each of all folds: many of few examples, few of many.
_MOST_DRAWS, _ANSWERS = 10, 2000
# Examples that are left out are no independent trials, as they learn from each other:
# they tell as much as this share of as many. Chosen on tasks of 5 x 10 of validation
# classes of miniImageNet, between 0.7 and 0.85; by all of them 83 % held the truth.
_EFFECTIVE = 0.75
# How fast errors get fewer: slower, and half as many would take a thousand times the
# examples; faster, and there would be nothing to see after the first two.
_EXPONENTS = np.linspace(0.3, 1.5, 25)
# Of fewer answers the points are too rough for a curve to go on from.
_LEAST_ANSWERS = 20


class Measured(NamedTuple):
    """Accuracy with fewer examples than there are.

    Attributes:
        shots: At most so many of each class.
        mean_shots: How many it was on average, less where a class has not so many.
        accuracy: Share of right answers, over all draws.
    """

    shots: int
    mean_shots: float
    accuracy: float


class PowerLaw(NamedTuple):
    """`limit - scale * shots ** -exponent`, which rises and ends below 1.

    Learning curves of few examples go by it (Hestness 2017, *Deep Learning Scaling is
    Predictable, Empirically*; Viering and Loog, 2021, *The Shape of Learning Curves*).
    """

    limit: float
    scale: float
    exponent: float

    def at(self, shots: float) -> float:
        """The accuracy at a number of shots."""
        return self.limit - self.scale * shots**-self.exponent


def curve_of(
    refits: Refits,
    splits: Sequence[Split],
    labels: np.ndarray,
    right: float,
    *,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Share, tuple[CurvePoint, ...]]:
    """The accuracy expected of all examples, and the curve that leads there and on.

    Folds learn from fewer examples than there are: a power law through the measured
    points says how much is missing, and how much twice the examples would add.

    Args:
        refits: Of the head.
        splits: The folds.
        labels: Int `(examples,)`.
        right: Share of right answers of the folds.
        seed: Of the draws.
        on_progress: Called with the number of fits done, and of all.

    Returns:
        The accuracy of the head that learns from all examples, and the points by
        shots. The last is the continuation to twice the examples, where there are
        twenty answers at least.
    """
    asked = sum(len(split.test) for split in splits)

    def share(value: float) -> Share:
        return Share.of(value * asked, asked, effective=_EFFECTIVE)

    measured = measured_curve(
        refits, splits, labels, seed=seed, on_progress=on_progress
    )
    points = [CurvePoint(point.shots, share(point.accuracy)) for point in measured]
    shots = [point.mean_shots for point in measured] + [mean_shots(splits, labels)]
    accuracies = [point.accuracy for point in measured] + [right]
    every = float(np.mean(np.bincount(labels)))
    now = max(round(every), max((point.shots for point in points), default=0) + 1)
    if len(shots) < 2 or asked < _LEAST_ANSWERS:
        expected = share(right)
        return expected, (*points, CurvePoint(now, expected))
    law = fit_power_law(np.array(shots), np.array(accuracies))
    missing = law.at(every) - law.at(shots[-1])
    expected = share(min(right + missing, 1.0))
    gain = min(law.at(2 * every) - law.at(every), 1 - expected.value)
    # Between no gain, and twice of what the law says.
    more = Share(
        expected.value + gain,
        expected.low,
        min(expected.high + 2 * gain, 1.0),
        asked,
    )
    return expected, (
        *points,
        CurvePoint(now, expected),
        CurvePoint(2 * now, more, measured=False),
    )


def measured_curve(
    refits: Refits,
    splits: Sequence[Split],
    labels: np.ndarray,
    *,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Measured]:
    """Accuracy at few shots, on the same folds, by draws from what each learns from.

    Args:
        refits: Of the head.
        splits: The folds.
        labels: Int `(examples,)`.
        seed: Of the draws.
        on_progress: Called with the number of fits done, and of all.

    Returns:
        The points, with fewer shots than the folds learn from.
    """
    learned = mean_shots(splits, labels)
    asked = sum(len(split.test) for split in splits)
    draws = int(np.clip(_ANSWERS // max(asked, 1), 1, _MOST_DRAWS))
    shots = [number for number in SHOTS if number < learned]
    # All at once: a fit of few examples takes as long for one as for hundreds.
    drawn = [
        with_shots(split, labels, number, seed=seed + draw)
        for number in shots
        for draw in range(draws)
        for split in splits
    ]
    right = np.zeros(len(drawn))
    for place, logits in refits.logits(drawn, on_progress=on_progress):
        truth = labels[drawn[place].test]
        right[place] = (logits.argmax(axis=1) == truth).sum()
    each = draws * len(splits)
    return [
        Measured(
            number,
            mean_shots(drawn[start : start + each], labels),
            float(right[start : start + each].sum()) / (asked * draws),
        )
        for number, start in zip(shots, range(0, len(drawn), each), strict=True)
    ]


def mean_shots(splits: Sequence[Split], labels: np.ndarray) -> float:
    """From how many examples of each class the splits learn, on average."""
    learned = [
        len(split.train) / len(np.unique(labels[split.train])) for split in splits
    ]
    return float(np.mean(learned))


def fit_power_law(shots: np.ndarray, accuracies: np.ndarray) -> PowerLaw:
    """The power law with the least squares to these points.

    Args:
        shots: Float `(points,)`, at least two.
        accuracies: Float `(points,)`.

    Example:

    ```python
    fit_power_law(np.array([1, 2, 5]), np.array([0.6, 0.7, 0.8])).at(10)
    ```
    """
    fits = [_least_squares(shots, accuracies, c) for c in _EXPONENTS]
    errors = [
        np.square([law.at(n) for n in shots] - np.asarray(accuracies)).sum()
        for law in fits
    ]
    return fits[int(np.argmin(errors))]


def _least_squares(
    shots: np.ndarray, accuracies: np.ndarray, exponent: float
) -> PowerLaw:
    missing = np.asarray(shots, float) ** -exponent
    spread = missing - missing.mean()
    scale = -float((spread * accuracies).sum() / (spread**2).sum())
    scale = max(scale, 0.0)
    limit = float(np.mean(accuracies) + scale * missing.mean())
    if limit > 1:
        scale = float((missing * (1 - accuracies)).sum() / (missing**2).sum())
        limit = 1.0
    return PowerLaw(limit, scale, float(exponent))
