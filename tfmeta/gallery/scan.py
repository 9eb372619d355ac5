"""Similarities of queries to very many classes, in float32, their error bounded."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.gallery.products import THREADS, VectorTable, in_threads
from tfmeta.gallery.state_table import ROWS_TOGETHER, aligned_zeros, rounded_up
from tfmeta.learners.class_vectors import ClassVectors

# Of float32: half the distance of 1 to the next number, and the least normal one.
_UNIT = 2.0**-24
_TINY = float(np.finfo(np.float32).tiny)
# Beyond it squares of float32 come near the largest number.
_LARGEST_SQUARE = 1e36
# Scores that are looked at while they are in the cache.
_IN_CACHE = 2**18
_AT_ONCE = 2**16


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


class Scan:
    """Compares vectors of queries with those of all classes.

    A class is scored by `2 q·c - |c|²`, or by the cosine, in one product of matrices
    in float32. What all vectors have in common is taken from them before, where it is
    much. With a bound of the error no class is missed that is among the nearest.

    Args:
        form: What logits are a function of; its distance has a `function_of`.
        memory: Float `(room, features)`, vectors of classes and room for more of
            them, a multiple of `ROWS_TOGETHER`.
        present: Bool `(rows,)`: whether these first rows are of a class.
    """

    def __init__(
        self, form: ClassVectors, memory: np.ndarray, present: np.ndarray
    ) -> None:
        self._form = form
        self._cosines = form.distance.function_of == "cosines"
        self._centre = None if self._cosines else _centre(memory[: len(present)])
        # Else the memory of those who hold the state is scanned where it is.
        self._is_own = (
            self._cosines or self._centre is not None or memory.dtype != np.float32
        )
        self._vectors = (
            aligned_zeros(memory.shape, np.float32) if self._is_own else memory
        )
        self._bias = np.full(len(memory), -np.inf, np.float32)
        self._rows = 0
        self._largest_square = 0.0
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
        if self._is_own:
            vectors = self._as_scanned(vectors)
            self._vectors[slots] = vectors
        squares = _squares(vectors)
        bias = 0.0 if self._cosines else -np.minimum(squares, _LARGEST_SQUARE)
        self._bias[slots] = np.where(present, bias, -np.inf)
        self._largest_square = max(
            self._largest_square, float(squares.max(initial=0.0, where=present))
        )
        rows = rounded_up(int(slots.max(initial=-1)) + 1)
        if rows > self._rows:
            self._rows, self._table = rows, None

    def queries(self, embeddings: np.ndarray) -> Queries:
        """Queries as they are compared.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
        """
        vectors = self._form.query_vectors(tf.constant(embeddings)).numpy()
        scanned = self._as_scanned(vectors)
        return Queries(vectors, scanned, _squares(scanned).astype(np.float32))

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

    def compared(
        self, queries: Queries, query: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """Logits of pairs of a query and a class, right to the digits of float32.

        Args:
            queries: Of `queries`.
            query: Int `(pairs,)`: which query.
            rows: Float `(pairs, features)`: the vectors of the classes.
        """
        asked = queries.vectors[query].astype(np.float64)
        if self._cosines:
            values = np.einsum("pf,pf->p", unit_rows(asked), unit_rows(rows))
        else:
            values = _squares(asked - rows)
        return self._logits_of_values(values).astype(np.float32)

    def candidates(
        self, queries: Queries, products: np.ndarray, top: int
    ) -> Candidates:
        """All classes that may be among the `top` nearest of each query.

        Args:
            queries: Of `queries`.
            products: Of `products`.
            top: At most the number of rows by `ROWS_TOGETHER`.
        """
        count, features = queries.scanned.shape
        squares = queries.squares
        # A class among the nearest is in a group of rows whose nearest one is near.
        spans = np.array_split(np.arange(0, self._rows, self._block(count)), THREADS)
        looked = in_threads(
            lambda starts: self._looked_at(products, squares, starts.tolist()), spans
        )
        peaks, log_sums, firsts, strides = zip(*itertools.chain(*looked), strict=True)
        peak = np.concatenate(peaks, axis=1)
        bound, likely = self._error(squares, features)
        nearest = -np.partition(-peak, top - 1, axis=1)[:, top - 1]
        least = nearest - 2.0 * bound

        query, group = np.nonzero(peak >= least[:, None])
        first, stride = np.concatenate(firsts)[group], np.concatenate(strides)[group]
        slots = first[:, None] + stride[:, None] * np.arange(ROWS_TOGETHER)
        scores = products[query[:, None], slots] + self._bias[slots]
        chosen = scores >= least[query, None]
        query = np.broadcast_to(query[:, None], chosen.shape)[chosen]
        slot = slots[chosen]
        order = np.lexsort((slot, query))
        query, slot = query[order], slot[order]
        logit = self.logits(products[query, slot], slot, squares[query])
        total = np.logaddexp.reduce(log_sums, axis=0)
        logit = logit.astype(np.float64)
        near, far = (
            self._logits_of_scores(scores[:, None], np.zeros(1), squares)[:, 0]
            for scores in (nearest, nearest - likely)
        )
        with np.errstate(over="ignore", invalid="ignore"):
            rest = 1.0 - np.bincount(query, np.exp(logit - total[query]), count)
            error = np.maximum(rest, 0.0) * np.expm1(np.abs(near - far))
        return Candidates(query, slot, logit, total, error)

    def _block(self, queries: int) -> int:
        """Rows whose scores are in the cache together."""
        return max(_IN_CACHE // queries, 2**12) // ROWS_TOGETHER * ROWS_TOGETHER

    def _looked_at(
        self, products: np.ndarray, squares: np.ndarray, starts: Sequence[int]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Of blocks of rows the best scores of groups, and the log of the sum.

        Returns:
            Of each block: scores `(queries, groups)`; `(queries,)`; the first row of
            each group; and how far its rows are apart.
        """
        count = len(products)
        width = self._block(count)
        room = np.empty(count * min(width, self._rows), np.float32)
        found = []
        for start in starts:
            bias = self._bias[start : min(start + width, self._rows)]
            stride = len(bias) // ROWS_TOGETHER
            scores = room[: count * len(bias)].reshape(count, len(bias))
            np.add(products[:, start : start + width], bias, out=scores)
            peaks = scores.reshape(count, ROWS_TOGETHER, stride).max(axis=1)
            sums = log_sum(self._logits_of_scores(scores, bias, squares))
            first = start + np.arange(stride)
            found.append((peaks, sums, first, np.full(stride, stride)))
        return found

    def _logits_of_scores(
        self, scores: np.ndarray, bias: np.ndarray, squares: np.ndarray
    ) -> np.ndarray:
        """Logits in the place of scores, where that is possible."""
        values = scores
        if not self._cosines:
            above = squares.reshape(squares.shape + (1,) * (scores.ndim - squares.ndim))
            np.subtract(above, scores, out=values)
            np.maximum(values, np.float32(0.0), out=values)
        logits = self._logits_of_values(values)
        if bias.min() == -np.inf:
            absent = np.broadcast_to(np.isneginf(bias), logits.shape)
            logits[absent] = -np.inf
        return logits

    def _logits_of_values(self, values: np.ndarray) -> np.ndarray:
        """Logits of squares or cosines, in their dtype."""
        distance = self._form.distance
        sign = -1.0 if distance.smaller_is_closer else 1.0
        scale = np.asarray(sign / self._form.temperature, values.dtype)
        return distance.of_values(values) * scale

    def _error(
        self, squares: np.ndarray, features: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """A bound of the error of scores, and how large it likely is, float64."""
        squares = squares.astype(np.float64)
        most = self._largest_square
        size = 2.0 if self._cosines else 2.0 * np.sqrt(squares * most) + most
        steps = features + 8
        bound = steps * (_UNIT * size + 4.0 * _TINY) + 0.0 * squares
        bound = np.where(np.isfinite(squares) & (most < _LARGEST_SQUARE), bound, np.inf)
        # Errors of rounding have either sign.
        likely = 4.0 / np.sqrt(steps) * bound
        return bound, likely + (0.0 if self._cosines else _UNIT * squares)

    def _as_scanned(self, vectors: np.ndarray) -> np.ndarray:
        if self._cosines:
            vectors = unit_rows(vectors)
        elif self._centre is not None:
            vectors = vectors - self._centre
        return vectors.astype(np.float32, copy=False)


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Float64 `(rows,)`: the squares of vectors `(rows, features)`."""
    wide = vectors.astype(np.float64)
    return np.einsum("rf,rf->r", wide, wide)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Float64 vectors of length 1; a vector of zeros stays one."""
    wide = vectors.astype(np.float64)
    length = np.sqrt(np.einsum("...f,...f->...", wide, wide))[..., None]
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > 0.0)


def log_sum(logits: np.ndarray) -> np.ndarray:
    """Float64 `(queries,)`: log of the sum of `exp(logits)`, which are overwritten.

    Args:
        logits: Float32 `(queries, n)`.
    """
    top = logits.max(axis=1)
    top = np.where(np.isfinite(top), top, np.float32(0.0))
    logits -= top[:, None]
    total = np.exp(logits, out=logits).sum(axis=1).astype(np.float64)
    with np.errstate(divide="ignore"):
        return top + np.log(total)


def exchanged(
    log_sums: np.ndarray, query: np.ndarray, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Logs of sums of `exp(logits)` in which some logits are exchanged for others.

    Args:
        log_sums: Float64 `(queries,)`.
        query: Int `(pairs,)`: whose sum each logit is part of.
        before: Float64 `(pairs,)`.
        after: Float64 `(pairs,)`.
    """
    count = len(log_sums)
    gone = np.bincount(query, np.exp(before - log_sums[query]), count)
    come = np.bincount(query, np.exp(after - log_sums[query]), count)
    with np.errstate(divide="ignore"):
        return log_sums + np.log(np.maximum(1.0 - gone, 0.0) + come)


def _centre(vectors: np.ndarray) -> np.ndarray | None:
    """The mean of vectors where they lie far from 0 and near to each other."""
    some = vectors[:: max(1, len(vectors) // _AT_ONCE)].astype(np.float64)
    mean = some.mean(axis=0)
    spread = np.square(some - mean).sum(axis=1).mean()
    return mean if np.square(mean).sum() > 4.0 * spread else None
