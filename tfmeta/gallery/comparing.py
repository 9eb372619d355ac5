"""Logits of queries and classes in NumPy, by what a learner says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.learners.class_vectors import ClassVectors

_LEAST = np.float32(-80.0)
# Classes and queries of a trial.
_TRIED = 4


class Comparison:
    """What `ClassVectors` says, outside of any graph.

    Args:
        form: It; its distance has a `function_of`.

    Attributes:
        by_cosines: Whether logits are a function of cosines; else of squares.
        part: The part of the state that holds the vectors of classes.
        slope: What logits grow by with a cosine, or as a square falls, where that is
            the same everywhere; else `None`.
    """

    def __init__(self, form: ClassVectors) -> None:
        self.by_cosines = form.distance.function_of == "cosines"
        self.part = form.part
        self._distance = form.distance
        self._temperature = form.temperature
        probe = np.ones(1)
        falls = form.distance.smaller_is_closer != self.by_cosines
        is_value = form.distance.of_values(probe) is probe
        self.slope = 1.0 / form.temperature if falls and is_value else None
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

    def is_of(self, learner: Any) -> bool:
        """Whether a learner's logits of some random embeddings are these."""
        rng = np.random.default_rng(0)
        shape = (_TRIED, *learner.encoder.output_shape[1:])
        classes, queries = rng.normal(size=(2, *shape)).astype(np.float32)
        state = learner.adapt_embeddings(
            tf.constant(classes)[None], tf.eye(_TRIED, batch_shape=[1])
        )
        wanted = learner.compare_embeddings(state, tf.constant(queries)[None])
        pairs = np.indices((_TRIED, _TRIED)).reshape(2, -1)
        found = self.of_pairs(
            self.query_vectors(queries)[pairs[0]], state[self.part][0].numpy()[pairs[1]]
        )
        return bool(np.allclose(found, np.ravel(wanted), rtol=1e-4, atol=1e-4))


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
    return top + log_sum_about(logits, top)


def log_sum_about(
    values: np.ndarray, top: np.ndarray, slope: float = 1.0
) -> np.ndarray:
    """Float64 `(queries,)`: log of the sum of `exp(slope (values - top))`.

    Args:
        values: Float32 `(queries, n)`, which are overwritten.
        top: Float32 `(queries,)`: the largest of each query.
        slope: Above 0.
    """
    values -= np.where(np.isneginf(top), np.float32(0.0), top)[:, None]
    if slope != 1.0:
        values *= np.float32(slope)
    # Processors take a hundred times as long for what is below the smallest normal
    # number, and one of the values is 0.
    np.maximum(values, _LEAST, out=values)
    total = np.exp(values, out=values).sum(axis=1).astype(np.float64)
    return np.where(np.isneginf(top), -np.inf, np.log(total))


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
