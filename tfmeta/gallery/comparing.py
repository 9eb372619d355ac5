"""Logits of queries and classes in NumPy, by what a learner says of itself."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.learners.class_vectors import ClassVectors


class Comparison:
    """What `ClassVectors` says, outside of any graph.

    Args:
        form: It; its distance has a `function_of`.

    Attributes:
        by_cosines: Whether logits are a function of cosines; else of squares.
        part: The part of the state that holds the vectors of classes.
    """

    def __init__(self, form: ClassVectors) -> None:
        self.by_cosines = form.distance.function_of == "cosines"
        self.part = form.part
        self._distance = form.distance
        self._temperature = form.temperature
        self._query_vectors = tf.function(form.query_vectors, reduce_retracing=True)

    def query_vectors(self, embeddings: np.ndarray) -> np.ndarray:
        """Float `(queries, features)`, of embeddings `(queries, *embedding)`."""
        return self._query_vectors(tf.constant(embeddings)).numpy()

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Logits of squares or cosines, of any shape, in their dtype."""
        sign = -1.0 if self._distance.smaller_is_closer else 1.0
        scale = np.asarray(sign / self._temperature, values.dtype)
        return self._distance.of_values(values) * scale

    def of_pairs(self, queries: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Float32 `(pairs,)`, right to the last digits.

        Args:
            queries: Float `(pairs, features)`, of `query_vectors`.
            classes: Float `(pairs, features)`, of the state.
        """
        queries, classes = queries.astype(np.float64), classes.astype(np.float64)
        if self.by_cosines:
            values = np.einsum("pf,pf->p", unit_rows(queries), unit_rows(classes))
        else:
            values = squares_of(queries - classes)
        return self.logits(values).astype(np.float32)


def squares_of(vectors: np.ndarray) -> np.ndarray:
    """Float64 `(rows,)`: the squares of vectors `(rows, features)`."""
    wide = vectors.astype(np.float64)
    return np.einsum("rf,rf->r", wide, wide)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Float64 vectors of length 1; a vector of zeros stays one."""
    wide = vectors.astype(np.float64)
    length = np.sqrt(squares_of(wide))[:, None]
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
