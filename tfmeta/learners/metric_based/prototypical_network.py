"""Prototypical Networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.learners.base import State
from tfmeta.learners.metric_based.metric_learner import MetricLearner


@keras.saving.register_keras_serializable(package="tfmeta")
class PrototypicalNetwork(MetricLearner):
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

    def __init__(
        self,
        encoder: keras.Model,
        distance: str | distances.Distance = "squared_euclidean",
        **kwargs: Any,
    ) -> None:
        self.distance = distances.get(distance)
        super().__init__(encoder, **kwargs)
        if len(self.encoder.output_shape) != 2:
            raise ValueError(
                "`encoder` must map a batch of examples to a batch of vectors, of "
                f"shape (batch, features). Received: output shape "
                f"{self.encoder.output_shape}"
            )

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
    ) -> State:
        """Prototypes `(tasks, ways, features)`, and which ways are present."""
        # Sums of half precision numbers lose shots.
        wide = tf.float64 if embeddings.dtype == tf.float64 else tf.float32
        embeddings = tf.cast(embeddings, wide)
        labels = tf.cast(support_labels, wide)
        if support_mask is not None:
            labels *= tf.cast(support_mask, wide)[:, :, None]
        counts = tf.reduce_sum(labels, axis=1)
        sums = tf.matmul(labels, embeddings, transpose_a=True)
        return {
            "prototypes": sums / tf.maximum(counts, 1.0)[:, :, None],
            "present": counts > 0,
        }

    def compare_embeddings(self, state: State, embeddings: tf.Tensor) -> tf.Tensor:
        """Similarity of each query to each prototype; `-inf` for absent ways."""
        embeddings = tf.cast(embeddings, state["prototypes"].dtype)
        logits = self.distance.similarity(embeddings, state["prototypes"])
        absent = tf.constant(float("-inf"), logits.dtype)
        return tf.where(state["present"][:, None, :], logits, absent)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "distance": keras.saving.serialize_keras_object(self.distance),
        }
