"""Comparing, and saying what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

# Two computations of one quantity in float64 agree to rounding, 1e-16 times a
# modest factor; the bound leaves room for ill-conditioned learners.
ROUNDING_64 = 1e-9
ROUNDING_32 = 1e-5


def expect(condition: bool | np.bool_, message: str) -> None:
    """Raises `AssertionError`, also where Python strips `assert`."""
    if not condition:
        raise AssertionError(message)


def difference(actual: Any, expected: Any) -> float:
    """Largest difference, relative to the largest finite magnitude.

    Infinite when the shapes differ or something not finite is not the same on
    both sides.
    """
    actual, expected = (np.asarray(x, np.float64) for x in (actual, expected))
    if actual.shape != expected.shape:
        return float("inf")
    finite = np.isfinite(expected)
    if not np.array_equal(actual[~finite], expected[~finite], equal_nan=True):
        return float("inf")
    actual, expected = actual[finite], expected[finite]
    if not np.all(np.isfinite(actual)):
        return float("inf")
    if np.array_equal(actual, expected):
        return 0.0
    scale = max(np.abs(expected).max(), np.abs(actual).max(), 1e-6)
    return float(np.abs(actual - expected).max() / scale)


def expect_close(actual: Any, expected: Any, tolerance: float, message: str) -> None:
    """Raises `AssertionError` with the difference when it exceeds `tolerance`."""
    found = difference(actual, expected)
    expect(
        found <= tolerance,
        f"{message} (relative difference {found:.1e}, allowed {tolerance:.0e})",
    )


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Copies of the values."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def weights_of(learner: keras.Model) -> list[np.ndarray]:
    """Copies of all weights, moving statistics included."""
    return values_of(learner.weights)


def flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """All numbers of all arrays, in one row."""
    return np.concatenate([[], *(np.ravel(a) for a in arrays)])
