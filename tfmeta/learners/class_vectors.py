"""What a learner says of itself that compares a query with one vector of each class."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfmeta.distances import Distance


class ClassVectors(NamedTuple):
    """Logits that are the similarity of a query's vector to one vector of each class.

    The logits of a present way are `distance.similarity(query_vectors(embeddings),
    state[part]) / temperature`. Whoever has very many classes can find those that
    count by products of matrices, or by an index of vectors.

    Attributes:
        distance: Between the vectors.
        part: The part of the state that holds them, `(tasks, ways, features)`.
        query_vectors: From embeddings `(..., *embedding)` to `(..., features)`.
        temperature: What similarities are divided by.
    """

    distance: Distance
    part: str
    query_vectors: Callable[[tf.Tensor], tf.Tensor]
    temperature: float = 1.0
