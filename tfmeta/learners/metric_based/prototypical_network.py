"""Prototypical Networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.learners.class_sums import (
    at_least_float32,
    class_means,
    only_present,
    real_labels,
)
from tfmeta.learners.class_vectors import ClassVectors
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors


@keras.saving.register_keras_serializable(package="tfmeta")
class PrototypicalNetwork(EmbeddingLearner):
    """Classifies a query by its distance to the mean embedding of each class.

    Snell, Swersky and Zemel (2017), *Prototypical Networks for Few-shot
    Learning*. The prototype of a class is the mean of its support embeddings;
    the logits are the negative squared Euclidean distances of a query to the
    prototypes. The paper trains with more ways than it evaluates with (60 on
    Omniglot); the number of ways is free in every call.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        distance: `"squared_euclidean"`, `"euclidean"`, `"cosine"` or a
            `tfmeta.distances.Distance`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, or when `distance` is unknown.

    Example:

    ```python
    learner = tfmeta.learners.PrototypicalNetwork(tfmeta.encoders.Conv4())
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    independent_classes = True

    def __init__(
        self,
        encoder: keras.Model,
        distance: str | distances.Distance = "squared_euclidean",
        **kwargs: Any,
    ) -> None:
        self.distance = distances.get(distance)
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """Prototypes `(tasks, ways, features)`, and which ways are present."""
        embeddings = at_least_float32(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        prototypes, counts = class_means(embeddings, labels)
        return {"prototypes": prototypes, "present": counts > 0}

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Similarity of each query to each prototype; `-inf` for absent ways."""
        embeddings = tf.cast(embeddings, state["prototypes"].dtype)
        logits = self.distance.similarity(embeddings, state["prototypes"])
        return only_present(logits, state["present"])

    def class_vectors(self) -> ClassVectors:
        """Of each class its prototype."""
        return ClassVectors(self.distance, "prototypes", at_least_float32)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "distance": keras.saving.serialize_keras_object(self.distance),
        }
