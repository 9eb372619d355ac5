"""Logits of queries and classes in NumPy, by what a learner says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.gallery.rows_of_numbers import squares_of, unit_rows
from tfmeta.learners.class_vectors import ClassVectors

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
