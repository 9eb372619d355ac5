"""Logits of very many classes in the graph of a SavedModel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.finite import finite_rows
from tfmeta.gallery.scan import centre_of
from tfmeta.layers.sphere import unit_vectors

# Of a query, beside those that are named.
_CANDIDATES = 64
# Numbers of vectors that are compared at once in float64.
_NUMBERS_AT_ONCE = 2**25
# Relative error of the sum over all classes that a scan may have.
_SCAN_ERROR = 1e-3
# Of float32: half the distance of 1 to the next number, and the least normal one.
_UNIT = 2.0**-24
_TINY = float(np.finfo(np.float32).tiny)


class ServedScan(tf.Module):
    """Compares queries with all classes in float32, and with the near ones exactly.

    What `Enrolled` does with many classes, as a graph: by a product of matrices and a
    bound of its error those classes are found that may be among the best, and their
    logits are the learner's. Where float32 does not tell them from others, a query is
    compared with all classes. No query has a part in the answer to another.

    Args:
        learner: With `independent_classes` and `class_vectors`.
        state: Of one task, by the names of its parts, `(ways, ...)`.
        top: How many of the best must be right.
    """

    def __init__(
        self, learner: Any, state: Mapping[str, tf.Variable], top: int
    ) -> None:
        super().__init__(name="scan")
        self._learner = learner
        self._state = dict(state)
        self._form = learner.class_vectors()
        self._cosines = self._form.distance.function_of == "cosines"
        self._top = top
        held = self._state[self._form.part]
        self._ways, self._features = held.shape
        self._candidates = min(top + _CANDIDATES, self._ways)
        self._centre = None if self._cosines else centre_of(held.numpy())
        if self._cosines or self._centre is not None or held.dtype != tf.float32:
            vectors = self._compared(held.read_value())
            held = tf.Variable(vectors, trainable=False, name="vectors")
        self._vectors = held
        squares = np.sum(np.square(held.numpy(), dtype=np.float64), axis=1)
        self._largest_square = float(squares.max())
        self._bias = tf.Variable(-squares, False, dtype=tf.float32, name="bias")

    def logits(self, embeddings: tf.Tensor) -> tf.Tensor:
        """`(queries, ways)`, float32, of `(queries, *embedding)`."""
        queries = self._compared(self._form.query_vectors(embeddings))
        squares = tf.reduce_sum(tf.square(tf.cast(queries, tf.float64)), axis=-1)
        # On a GPU products of float32 may have the digits of half precision.
        with tf.device("CPU"):
            factors = queries if self._cosines else 2.0 * queries
            scores = tf.matmul(factors, self._vectors, transpose_b=True)
        if not self._cosines:
            scores += self._bias
        near = tf.math.top_k(scores, self._candidates)
        state = {name: tf.gather(part, near.indices) for name, part in self._parts()}
        compared = self._learner.compare_embeddings(state, embeddings[:, tf.newaxis])
        rows = tf.range(tf.shape(scores)[0])[:, tf.newaxis]
        places = tf.stack([rows + tf.zeros_like(near.indices), near.indices], axis=-1)
        logits = tf.tensor_scatter_nd_update(
            self._logits_of(scores, squares),
            places,
            tf.cast(compared[:, 0], tf.float32),
        )
        badly = finite_rows(queries) & self._is_untold(near.values, squares)
        return tf.cond(
            tf.reduce_any(badly),
            lambda: self._mended(logits, badly, embeddings),
            lambda: logits,
        )

    def _parts(self) -> Any:
        return self._state.items()

    def _compared(self, vectors: tf.Tensor) -> tf.Tensor:
        if self._cosines:
            vectors = unit_vectors(vectors)
        elif self._centre is not None:
            vectors -= tf.cast(self._centre, vectors.dtype)
        return tf.cast(vectors, tf.float32)

    def _logits_of(self, scores: tf.Tensor, squares: tf.Tensor) -> tf.Tensor:
        """Logits about right, of scores `(queries, n)`."""
        distance = self._form.distance
        sign = -1.0 if distance.smaller_is_closer else 1.0
        values = scores
        if not self._cosines:
            values = tf.cast(squares, tf.float32)[:, tf.newaxis] - scores
            # Rounding alone goes below 0; what is NaN stays it.
            values = tf.where(values < 0.0, tf.zeros_like(values), values)
        return distance.of_values(values) * (sign / self._form.temperature)

    def _is_untold(self, near: tf.Tensor, squares: tf.Tensor) -> tf.Tensor:
        """Bool `(queries,)`: for which float32 may have missed one of the best.

        Args:
            near: The best scores `(queries, candidates)`.
            squares: Float64 `(queries,)`, of the vectors of queries.
        """
        most = self._largest_square
        if self._cosines:
            size = 2.0 + tf.zeros_like(squares)
        else:
            size = 2.0 * tf.sqrt(squares * most) + most
        steps = self._features + 8
        bound = steps * (_UNIT * size + 4.0 * _TINY)
        # Errors of rounding have either sign.
        likely = 4.0 / np.sqrt(steps) * bound
        likely += 0.0 if self._cosines else _UNIT * squares
        best = near[:, :1]
        off = best - tf.cast(likely, tf.float32)[:, tf.newaxis]
        ends = self._logits_of(tf.concat([best, off], axis=1), squares)
        errors = tf.abs(ends[:, 0] - ends[:, 1])
        untold = errors > _SCAN_ERROR
        if self._candidates < self._ways:
            gap = tf.cast(near[:, self._top - 1] - near[:, -1], tf.float64)
            untold |= gap <= 2.0 * bound
            errors += tf.cast(gap - bound, tf.float32)
        # A comparison with NaN is False, its negation may be, too.
        return tf.where(tf.math.is_finite(errors), untold, True)

    def _mended(
        self, logits: tf.Tensor, badly: tf.Tensor, embeddings: tf.Tensor
    ) -> tf.Tensor:
        rows = tf.where(badly)
        exact = self._exact(tf.gather(embeddings, rows[:, 0]))
        return tf.tensor_scatter_nd_update(logits, rows, exact)

    def _exact(self, embeddings: tf.Tensor) -> tf.Tensor:
        """The learner's logits of all classes, some classes at a time."""
        size = min(self._ways, max(1, _NUMBERS_AT_ONCE // self._features))
        count = -(-self._ways // size)

        def part(start: tf.Tensor) -> tf.Tensor:
            state = {
                name: value[tf.newaxis, start : start + size]
                for name, value in self._parts()
            }
            logits = self._learner.compare_embeddings(state, embeddings[tf.newaxis])
            logits = tf.ensure_shape(tf.cast(logits[0], tf.float32), [None, size])
            return tf.transpose(logits)

        # The last part begins earlier, so that all are of one size.
        starts = tf.minimum(tf.range(count) * size, self._ways - size)
        found = tf.map_fn(
            part,
            starts,
            fn_output_signature=tf.TensorSpec([size, None], tf.float32),
            parallel_iterations=1,
        )
        known = [found[:-1], found[-1:, count * size - self._ways :]]
        queries = tf.shape(embeddings)[0]
        return tf.transpose(
            tf.concat([tf.reshape(one, [-1, queries]) for one in known], axis=0)
        )
