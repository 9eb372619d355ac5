"""Examples that others are like, chosen one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Rows of a matrix of similarities that are worked on at once.
_BLOCK = 64
# A share of the weight below which a gain is rounding.
_NOTHING = 1e-6


def directions(features: np.ndarray) -> np.ndarray:
    """Rows of unit length, float32; a row of zeros stays one."""
    rows = np.asarray(features, np.float32)
    # The square of a large number has no float32.
    rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-30)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def squared_distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Between rows of unit length, float32 `(ones, others)`, from 0 to 4."""
    return np.maximum(2.0 - 2.0 * (ones @ others.T), 0.0)


class Cover:
    """What of a set of points is covered, by points of the same set or others.

    A point is covered by its most similar neighbour among those that were taken. The
    gain of another one is how much better all points are covered with it, each by its
    weight: facility location, whose greedy choice is within 1 - 1/e of the best
    (Nemhauser, Wolsey and Fisher, 1978).

    Args:
        similarities: Float32 `(points, points)`, from 0 to 1, symmetric, 1 of each
            point with itself.
        covered: Float32 `(points,)`: the similarity of each to the nearest one that
            was taken before; 0 without any.
        weights: Float32 `(points,)`, not negative.
    """

    def __init__(
        self, similarities: np.ndarray, covered: np.ndarray, weights: np.ndarray
    ) -> None:
        self._similarities = similarities
        self._weights = weights
        self.covered = np.array(covered, np.float32)

    def gain(self, point: int) -> float:
        """How much better all are covered with a point."""
        return float(self._gains(np.array([point]))[0])

    def nearest_to(self, point: int) -> int:
        """How many points are more similar to it than to any that was taken."""
        return int((self._similarities[point] > self.covered).sum())

    def take(self, point: int) -> None:
        """Counts a point among those that were taken."""
        np.maximum(self.covered, self._similarities[point], out=self.covered)

    def greedy(self) -> Iterator[int]:
        """Points by their gain, each to be taken before the next is asked for.

        Ends where nothing is gained: what is left is there already, or weighs nothing.
        """
        least = _NOTHING * max(float(self._weights.max(initial=0.0)), 1e-30)
        # Gains only fall, so that one from before is a bound of today's.
        bounds = np.full(len(self.covered), np.inf, np.float32)
        while len(bounds):
            best = -np.inf
            order = np.argsort(-bounds, kind="stable")
            for start in range(0, len(order), _BLOCK):
                points = order[start : start + _BLOCK]
                if bounds[points[0]] < best:
                    break
                bounds[points] = self._gains(points)
                best = max(best, float(bounds[points].max()))
            if best <= least:
                return
            yield int(bounds.argmax())

    def _gains(self, points: np.ndarray) -> np.ndarray:
        better = np.maximum(self._similarities[points] - self.covered, 0.0)
        return better @ self._weights
