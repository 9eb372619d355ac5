"""Gaussian Prototypical Networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.class_sums import (
    at_least_float32,
    only_present,
    real_labels,
)
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.squares import pairwise_squares, root

COVARIANCES = ("radius", "diagonal")
# From the raw output to the inverse covariance, in the forms of the paper.
_PRECISIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "softplus": lambda raw: 1.0 + tf.math.softplus(raw),
    "sigmoid": lambda raw: 1.0 + tf.math.sigmoid(raw),
    "wide_sigmoid": lambda raw: 1.0 + 4.0 * tf.math.sigmoid(raw),
}


@keras.saving.register_keras_serializable(package="tfmeta")
class GaussianPrototypicalNetwork(EmbeddingLearner):
    """A Prototypical Network that knows how sure it is of every example.

    Fort (2017), *Gaussian Prototypical Networks for Few-Shot Learning on Omniglot*.
    A part of the encoder's output is the embedding `x`, the rest becomes the inverse
    covariance `s` around it. The prototype of a class is the mean of its support
    weighted by `s`, and the class has the sum as its own inverse covariance:

        p_c = Σ s∘x / Σ s,   S_c = Σ s,   d_c(x)² = (x − p_c)ᵀ diag(S_c) (x − p_c)

    The logits are the negative distances `−d_c`, not their squares, as in the
    paper. What a query's own covariance would be plays no part.

    Any encoder of vectors will do: the last numbers of its output are the raw
    covariance. One that ends in a rectifier, as `Conv4` does, never gives the least
    confidence that `precision` allows. The paper's fourth form of `precision`, with
    numbers to be trained that are switched on late by hand, is left out.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors, of `features + 1` numbers for `"radius"` and of `2 *
            features` for `"diagonal"`.
        covariance: `"radius"`, one number for all directions, or `"diagonal"`,
            one for each feature.
        precision: How the inverse covariance comes from the raw output `r`:
            `"softplus"`, `1 + softplus(r)`; `"sigmoid"`, `1 + sigmoid(r)`; or
            `"wide_sigmoid"`, `1 + 4 sigmoid(r)`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is unknown, or when the encoder gives no
            vectors, or none that can be split so.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4()  # 63 features and the radius
    learner = tfmeta.learners.GaussianPrototypicalNetwork(encoder)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    ```
    """

    independent_classes = True

    def __init__(
        self,
        encoder: keras.Model,
        covariance: str = "radius",
        precision: str = "softplus",
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ("covariance", covariance, COVARIANCES),
            ("precision", precision, tuple(_PRECISIONS)),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. Received: "
                    f"{name}={value!r}"
                )
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.covariance = covariance
        self.precision = precision
        outputs = self.encoder.output_shape[-1]
        self.features = outputs - 1 if covariance == "radius" else outputs // 2
        if self.features < 1 or (covariance == "diagonal" and outputs % 2):
            needed = "at least 2" if covariance == "radius" else "an even number of"
            raise ValueError(
                f"`encoder` must give {needed} outputs with covariance="
                f"{covariance!r}: the embedding, and then its covariance. Received: "
                f"output shape {self.encoder.output_shape}"
            )

    def split_output(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Embeddings and inverse covariances of the encoder's output.

        Args:
            outputs: `(..., outputs)`.

        Returns:
            `(..., features)`, and `(..., 1)` for `"radius"` or `(..., features)`
            for `"diagonal"`; at least float32.
        """
        outputs = at_least_float32(outputs)
        raw = outputs[..., self.features :]
        return outputs[..., : self.features], _PRECISIONS[self.precision](raw)

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
        """Prototypes `(tasks, ways, features)`, their precisions, who is present."""
        embeddings, precisions = self.split_output(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        present = tf.reduce_any(labels > 0, axis=1)
        real = tf.reduce_any(labels > 0, axis=-1, keepdims=True)
        # In float32 a large common offset takes the digits of what differs.
        rows, weights, members = (
            tf.cast(values, tf.float64)
            for values in (
                tf.where(real, embeddings, 0.0),
                tf.where(real, precisions, 1.0),
                labels,
            )
        )
        total = tf.matmul(members, weights, transpose_a=True)
        weighted = tf.matmul(members, weights * rows, transpose_a=True)
        prototypes = weighted / tf.where(present[:, :, None], total, 1.0)
        return {
            "prototypes": tf.cast(prototypes, embeddings.dtype),
            "precisions": tf.cast(total, embeddings.dtype),
            "present": present,
        }

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Negative distances of queries to prototypes; `-inf` for absent ways."""
        prototypes = state["prototypes"]
        queries, _ = self.split_output(tf.cast(embeddings, prototypes.dtype))
        precisions = tf.broadcast_to(state["precisions"], tf.shape(prototypes))
        distance = root(pairwise_squares(queries, prototypes, precisions))
        return only_present(-tf.cast(distance, prototypes.dtype), state["present"])

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "covariance": self.covariance,
            "precision": self.precision,
        }
