"""Similarities of queries to very many classes, in float32, their error bounded."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from tfmeta.gallery.comparing import Comparison
from tfmeta.gallery.products import THREADS, VectorTable, in_threads
from tfmeta.gallery.rows_of_numbers import log_sum_about, squares_of, unit_rows
from tfmeta.gallery.state_table import ROWS_TOGETHER, aligned_zeros, rounded_up

# Of float32: half the distance of 1 to the next number, and the least normal one.
_UNIT = 2.0**-24
_TINY = float(np.finfo(np.float32).tiny)
# Beyond it squares of float32 come near the largest number.
_LARGEST_SQUARE = 1e36
# Scores that are looked at while they are in the cache.
_IN_CACHE = 2**18
_AT_ONCE = 2**16
# Vectors that say where all of them lie, about.
_LOOKED_AT = 2**12
# That are looked into, of a query: more are a reason to compare with all classes.
_MOST_GROUPS = 1024


class Candidates(NamedTuple):
    """Classes that may be among the nearest, and what all of them sum up to.

    Attributes:
        query: Int `(candidates,)`: which query, ascending.
        slot: Int `(candidates,)`: the row of a class, ascending for each query.
        logit: Float64 `(candidates,)`, about right.
        log_sum: Float64 `(queries,)`: log of the sum of `exp(logit)` of all classes.
        error: Float64 `(queries,)`: the relative error of a sum of right probabilities
            that those of the candidates take the place of, about.
    """

    query: np.ndarray
    slot: np.ndarray
    logit: np.ndarray
    log_sum: np.ndarray
    error: np.ndarray


class Queries(NamedTuple):
    """Vectors of queries.

    Attributes:
        vectors: Float `(queries, features)`, as the learner makes them.
        scanned: Float32 `(queries, features)`, as they are multiplied.
        squares: Float32 `(queries,)`, of those.
    """

    vectors: np.ndarray
    scanned: np.ndarray
    squares: np.ndarray


class _Groups(NamedTuple):
    """Rows of a block, in groups that are spread over it.

    Attributes:
        peaks: Float32 `(queries, groups)`: the best score of each.
        log_sum: Float64 `(queries,)`, of all rows of the block.
        first: Int `(groups,)`: the first row of each.
        apart: Int `(groups,)`: how far its rows are apart.
        slack: Float32 `(groups,)`: the largest of each.
    """

    peaks: np.ndarray
    log_sum: np.ndarray
    first: np.ndarray
    apart: np.ndarray
    slack: np.ndarray


class Scan:
    """Compares vectors of queries with those of all classes.

    A class is scored by `2 q·c - |c|²`, or by the cosine, in one product of matrices
    in float32. What all vectors have in common is taken from them before, where it is
    much. With a bound of the error no class is missed that is among the nearest.

    Args:
        comparison: What logits are a function of.
        memory: Float `(room, features)`, vectors of classes and room for more of
            them, a multiple of `ROWS_TOGETHER`.
        present: Bool `(rows,)`: whether these first rows are of a class.
    """

    def __init__(
        self, comparison: Comparison, memory: np.ndarray, present: np.ndarray
    ) -> None:
        self._comparison = comparison
        self._cosines = comparison.by_cosines
        self._centre = None if self._cosines else centre_of(memory[: len(present)])
        # Else the memory of those who hold the state is scanned where it is.
        self._is_own = (
            self._cosines or self._centre is not None or memory.dtype != np.float32
        )
        self._vectors = (
            aligned_zeros(memory.shape, np.float32) if self._is_own else memory
        )
        self._bias = np.full(len(memory), -np.inf, np.float32)
        self._rows = 0
        # How far scores may be from right ones by what is a class's alone.
        self._slack = np.zeros(len(memory), np.float32)
        # A bound of the relative error of a sum of products.
        self._digits = _UNIT * 1.01 * (memory.shape[1] + 8)
        self._too_large = False
        self._table: VectorTable | None = None
        for start in range(0, len(present), _AT_ONCE):
            slots = np.arange(start, min(start + _AT_ONCE, len(present)))
            self.update(slots, memory[slots], present[slots])

    def update(
        self, slots: np.ndarray, vectors: np.ndarray, present: np.ndarray
    ) -> None:
        """Takes over rows that were changed in place, or follow the last.

        Args:
            slots: Which rows.
            vectors: Float `(slots, features)`, of the state.
            present: Bool `(slots,)`: whether they are of a class.
        """
        if not len(slots):
            return
        if self._is_own:
            vectors = self._as_scanned(vectors)
            self._vectors[slots] = vectors
        squares = squares_of(vectors)
        self._too_large |= bool((squares[present] > _LARGEST_SQUARE).any())
        squares = np.minimum(squares, _LARGEST_SQUARE)
        self._bias[slots] = np.where(
            present, 0.0 if self._cosines else -squares, -np.inf
        )
        slack = self._digits * (1.0 if self._cosines else 2.0 * squares)
        self._slack[slots] = slack + _TINY * vectors.shape[1]
        rows = rounded_up(int(slots.max()) + 1)
        if rows > self._rows:
            self._rows, self._table = rows, None

    def queries(self, embeddings: np.ndarray) -> Queries:
        """Queries as they are compared.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
        """
        vectors = self._comparison.query_vectors(embeddings)
        scanned = self._as_scanned(vectors)
        return Queries(vectors, scanned, squares_of(scanned).astype(np.float32))

    def products(self, queries: Queries) -> np.ndarray:
        """Scores without what is a class's alone, float32 `(queries, rows)`."""
        if self._table is None:
            self._table = VectorTable(self._vectors[: self._rows])
        scanned = queries.scanned
        return self._table.times(scanned if self._cosines else 2.0 * scanned)

    def logits(
        self, products: np.ndarray, slots: np.ndarray | slice, squares: np.ndarray
    ) -> np.ndarray:
        """Logits about right, `-inf` for rows of no class.

        Args:
            products: Float `(..., classes)`, of some rows.
            slots: Which rows: a slice, or int `(..., classes)`.
            squares: Float32 `(...)`: squares of the vectors of queries.
        """
        bias = self._bias[slots]
        return self._logits_of_scores(products + bias, bias, squares)

    def candidates(
        self,
        queries: Queries,
        products: np.ndarray,
        top: int,
        without: np.ndarray | None = None,
    ) -> Candidates:
        """All classes that may be among the `top` nearest of each query.

        Args:
            queries: Of `queries`.
            products: Of `products`.
            top: At most the number of rows by `ROWS_TOGETHER`.
            without: Int `(queries,)`: the row of a class that is left out; `None` for
                none.
        """
        count, squares = len(products), queries.squares
        # A class among the nearest is in a group of rows whose nearest one is near.
        spans = np.array_split(np.arange(0, self._rows, self._block(count)), THREADS)
        groups = list(
            itertools.chain(
                *in_threads(
                    lambda part: self._groups(products, squares, part, without), spans
                )
            )
        )
        peak = np.concatenate([one.peaks for one in groups], axis=1)
        log_sums = np.logaddexp.reduce([one.log_sum for one in groups], axis=0)
        slack = np.concatenate([one.slack for one in groups])

        best = np.argpartition(-peak, top - 1, axis=1)[:, :top]
        best_peaks = np.take_along_axis(peak, best, axis=1)
        # Of both scores that are compared.
        error = 2.0 * self._digits * (0.0 if self._cosines else squares)
        least = (best_peaks - slack[best]).min(axis=1) - error
        near = peak + slack >= least[:, None]
        badly = self._too_large | ~np.isfinite(least)
        badly |= near.sum(axis=1) > _MOST_GROUPS
        near[badly] = False

        query, group = np.nonzero(near)
        first = np.concatenate([one.first for one in groups])[group, None]
        apart = np.concatenate([one.apart for one in groups])[group, None]
        slots = first + apart * np.arange(ROWS_TOGETHER)
        scores = products[query[:, None], slots] + self._bias[slots]
        chosen = scores + self._slack[slots] >= least[query, None]
        if without is not None:
            chosen &= slots != without[query, None]
        query = np.broadcast_to(query[:, None], chosen.shape)[chosen]
        slot = slots[chosen]
        order = np.lexsort((slot, query))
        query, slot = query[order], slot[order]
        logit = self.logits(products[query, slot], slot, squares[query])
        logit = logit.astype(np.float64)
        rest = 1.0 - np.bincount(query, np.exp(logit - log_sums[query]), count)
        with np.errstate(invalid="ignore"):
            error = np.maximum(rest, 0.0) * self._error(
                best_peaks, slack[best], squares
            )
        return Candidates(query, slot, logit, log_sums, np.where(badly, np.inf, error))

    def _error(
        self, scores: np.ndarray, slack: np.ndarray, squares: np.ndarray
    ) -> np.ndarray:
        """How far `exp(logit)` may be from right, relative, about; `(queries,)`.

        Args:
            scores: Of the best classes of each query, `(queries, top)`.
            slack: Of these.
            squares: Of the queries.
        """
        furthest = scores.argmin(axis=1)[:, None]
        score, slack = (np.take_along_axis(x, furthest, 1) for x in (scores, slack))
        if not self._cosines:
            slack = slack + (self._digits + _UNIT) * squares[:, None]
        # The bound is of errors that add up. They have either sign, and do not.
        slack = slack / np.float32(np.sqrt(self._digits / _UNIT))
        ends = (score.copy(), score - slack)
        near, far = (
            self._logits_of_scores(one, np.zeros(1), squares)[:, 0] for one in ends
        )
        with np.errstate(over="ignore", invalid="ignore"):
            return np.expm1(np.abs(near - far).astype(np.float64))

    def _block(self, queries: int) -> int:
        """Rows whose scores are in the cache together."""
        return max(_IN_CACHE // queries, 2**12) // ROWS_TOGETHER * ROWS_TOGETHER

    def _groups(
        self,
        products: np.ndarray,
        squares: np.ndarray,
        starts: np.ndarray,
        without: np.ndarray | None,
    ) -> list[_Groups]:
        count, width = len(products), self._block(len(products))
        room = np.empty(count * min(width, self._rows), np.float32)
        found = []
        for start in starts.tolist():
            end = min(start + width, self._rows)
            bias, slack = self._bias[start:end], self._slack[start:end]
            scores = room[: count * len(bias)].reshape(count, len(bias))
            np.add(products[:, start:end], bias, out=scores)
            if without is not None:
                (asked,) = np.nonzero((without >= start) & (without < end))
                scores[asked, without[asked] - start] = -np.inf
            peaks = scores.reshape(count, ROWS_TOGETHER, -1).max(axis=1)
            found.append(
                _Groups(
                    peaks,
                    self._log_sum(scores, peaks.max(axis=1), squares),
                    np.arange(start, start + peaks.shape[1]),
                    np.full(peaks.shape[1], peaks.shape[1]),
                    slack.reshape(ROWS_TOGETHER, -1).max(axis=0),
                )
            )
        return found

    def _log_sum(
        self, scores: np.ndarray, top: np.ndarray, squares: np.ndarray
    ) -> np.ndarray:
        """Float64 `(queries,)`, of scores whose largest are known; overwrites them."""
        of_top = self._logits_of_scores(top[:, None].copy(), top[:, None], squares)
        slope = self._comparison.slope
        if slope is not None:
            return of_top[:, 0] + log_sum_about(scores, top, slope)
        absent = np.isneginf(scores)
        logits = self._logits_of_scores(scores, np.zeros(1), squares)
        logits[absent] = -np.inf
        return of_top[:, 0] + log_sum_about(logits, of_top[:, 0])

    def _logits_of_scores(
        self, scores: np.ndarray, bias: np.ndarray, squares: np.ndarray
    ) -> np.ndarray:
        """Logits in the place of scores, where that is possible."""
        values = scores
        if not self._cosines:
            above = squares.reshape(squares.shape + (1,) * (scores.ndim - squares.ndim))
            np.subtract(above, scores, out=values)
            np.maximum(values, np.float32(0.0), out=values)
        logits = self._comparison.logits(values)
        if bias.min() == -np.inf:
            absent = np.broadcast_to(np.isneginf(bias), logits.shape)
            logits[absent] = -np.inf
        return logits

    def _as_scanned(self, vectors: np.ndarray) -> np.ndarray:
        if self._cosines:
            vectors = unit_rows(vectors)
        elif self._centre is not None:
            vectors = vectors - self._centre
        return vectors.astype(np.float32, copy=False)


def centre_of(vectors: np.ndarray) -> np.ndarray | None:
    """The mean of vectors where they lie far from 0 and near to each other."""
    some = vectors[:: max(1, len(vectors) // _LOOKED_AT)].astype(np.float64)
    mean = some.mean(axis=0)
    spread = np.square(some - mean).sum(axis=1).mean()
    return mean if np.square(mean).sum() > 4.0 * spread else None
