"""Similarities of queries to very many classes, in float32 and with a bound of error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.gallery.state_table import ROWS_TOGETHER, aligned_zeros, rounded_up
from tfmeta.layers.sphere import unit_vectors
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
        error: Float64 `(queries,)`: how far logits are from right ones, about.
    """

    query: np.ndarray
    slot: np.ndarray
    logit: np.ndarray
    log_sum: np.ndarray
    error: np.ndarray


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
        self._largest_square = 0.0
        self._tensor: tf.Tensor | None = None
        self._query_vectors = tf.function(self._of_embeddings, reduce_retracing=True)
        self._multiply = tf.function(
            lambda queries, rows: tf.matmul(queries, rows, transpose_b=True),
            reduce_retracing=True,
        )
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
            vectors = self._compared(tf.constant(vectors)).numpy()
            self._vectors[slots] = vectors
        wide = vectors.astype(np.float64)
        squares = np.einsum("rf,rf->r", wide, wide)
        bias = 0.0 if self._cosines else -np.minimum(squares, _LARGEST_SQUARE)
        self._bias[slots] = np.where(present, bias, -np.inf)
        self._largest_square = max(
            self._largest_square, float(squares.max(initial=0.0, where=present))
        )
        rows = rounded_up(int(slots.max(initial=-1)) + 1)
        if rows > self._rows:
            self._rows, self._tensor = rows, None

    def query_vectors(self, embeddings: np.ndarray) -> np.ndarray:
        """Float32 `(queries, features)`, as vectors of classes are compared."""
        return self._query_vectors(tf.constant(embeddings)).numpy()

    def class_vectors(self, slots: np.ndarray) -> np.ndarray:
        """Float32 `(*slots.shape, features)`, as they are compared."""
        return self._vectors[slots]

    def products(self, queries: np.ndarray) -> np.ndarray:
        """Scores without what is a class's alone, float32 `(queries, rows)`.

        Args:
            queries: Float32 `(queries, features)`, of `query_vectors`.
        """
        factors = queries if self._cosines else 2.0 * queries
        vectors = self._vectors[: self._rows]
        if len(queries) == 1:
            return (vectors @ factors[0])[None]
        # On a GPU products of float32 may have the digits of half precision.
        with tf.device("CPU"):
            if self._tensor is None:
                self._tensor = tf.experimental.dlpack.from_dlpack(vectors.__dlpack__())
            return np.asarray(
                memoryview(self._multiply(tf.constant(factors), self._tensor))
            )

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
        self, queries: np.ndarray, products: np.ndarray, top: int
    ) -> Candidates:
        """All classes that may be among the `top` nearest of each query.

        Args:
            queries: Float32 `(queries, features)`, of `query_vectors`.
            products: Of them.
            top: At most the number of rows by `ROWS_TOGETHER`.
        """
        squares = squares_of(queries)
        # A class among the nearest is in a group of rows whose nearest one is near.
        peaks, log_sums, firsts, strides = [], [], [], []
        width = max(_IN_CACHE // len(queries), 2**12) // ROWS_TOGETHER * ROWS_TOGETHER
        room = np.empty((len(queries), min(width, self._rows)), np.float32)
        for start in range(0, self._rows, width):
            bias = self._bias[start : min(start + width, self._rows)]
            stride = len(bias) // ROWS_TOGETHER
            scores = room.reshape(-1)[: len(queries) * len(bias)]
            scores = scores.reshape(len(queries), len(bias))
            np.add(products[:, start : start + width], bias, out=scores)
            apart = scores.reshape(len(queries), ROWS_TOGETHER, stride)
            peaks.append(apart.max(axis=1))
            log_sums.append(log_sum(self._logits_of_scores(scores, bias, squares)))
            firsts.append(start + np.arange(stride))
            strides.append(np.full(stride, stride))
        peak = np.concatenate(peaks, axis=1)
        bound, likely = self._error(squares, queries.shape[1])
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
        ends = [
            self._logits_of_scores(value[:, None], np.zeros(1), squares)[:, 0]
            for value in (nearest, nearest - likely)
        ]
        return Candidates(
            query,
            slot,
            logit.astype(np.float64),
            np.logaddexp.reduce(log_sums, axis=0),
            np.abs(ends[0] - ends[1]),
        )

    def _logits_of_scores(
        self, scores: np.ndarray, bias: np.ndarray, squares: np.ndarray
    ) -> np.ndarray:
        """Logits in the place of scores, where that is possible."""
        values = scores
        if not self._cosines:
            above = squares.reshape(squares.shape + (1,) * (scores.ndim - squares.ndim))
            np.subtract(above, scores, out=values)
            np.maximum(values, np.float32(0.0), out=values)
        distance = self._form.distance
        sign = -1.0 if distance.smaller_is_closer else 1.0
        logits = distance.of_values(values)
        logits = np.multiply(
            logits, np.float32(sign / self._form.temperature), out=values
        )
        if bias.min() == -np.inf:
            absent = np.broadcast_to(np.isneginf(bias), logits.shape)
            logits[absent] = -np.inf
        return logits

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

    def _of_embeddings(self, embeddings: tf.Tensor) -> tf.Tensor:
        return self._compared(self._form.query_vectors(embeddings))

    def _compared(self, vectors: tf.Tensor) -> tf.Tensor:
        if self._cosines:
            vectors = unit_vectors(vectors)
        elif self._centre is not None:
            vectors -= tf.cast(self._centre, vectors.dtype)
        return tf.cast(vectors, tf.float32)


def squares_of(vectors: np.ndarray) -> np.ndarray:
    """Float32 `(...)`: the squares of vectors `(..., features)`."""
    wide = vectors.astype(np.float64)
    with np.errstate(over="ignore"):
        return np.einsum("...f,...f->...", wide, wide).astype(np.float32)


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


def centre_of(vectors: np.ndarray) -> np.ndarray | None:
    """The mean of vectors where they lie far from 0 and near to each other."""
    some = vectors[:: max(1, len(vectors) // _AT_ONCE)].astype(np.float64)
    mean = some.mean(axis=0)
    spread = np.square(some - mean).sum(axis=1).mean()
    return mean if np.square(mean).sum() > 4.0 * spread else None
