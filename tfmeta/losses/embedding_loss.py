"""What the losses of embeddings share."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.finite import all_finite, finite_or_nan, nan_unless
from tfmeta.losses.pairs import alike_pairs


class EmbeddingLoss(keras.losses.Loss):
    """Base of losses that compare the rows of a batch with each other.

    A Keras loss, `loss(labels, embeddings, sample_weight)`: `labels` are class
    numbers `(batch,)`, `embeddings` are `(batch, features)`, and what a label
    means is only whether two rows share it. A row of weight 0 is as if it were
    not there. It is always a mean; a loss without any pair is 0. It is NaN where the
    embedding of a row that counts is not finite.

    Where being alike is no matter of classes, as where it was measured, `labels` say
    it of each pair: bool `(batch, batch)`.

    With a leading axis, labels `(tasks, rows)` and embeddings `(tasks, rows,
    features)`, rows are compared within their task only: class 0 of one task is
    not that of another. The mean is over all tasks together.

    A subclass implements `value`.

    Args:
        distance: `"euclidean"`, `"squared_euclidean"`, `"cosine"` or a
            `tfmeta.distances.Distance` of which a smaller value is closer. The
            cosine is a similarity; it becomes the distance `1 − cosine`.
        name: Name of the loss.
        dtype: Dtype of its computations, by default Keras' float type.

    Raises:
        ValueError: For an unknown distance, or a similarity other than the cosine.
    """

    def __init__(
        self,
        distance: str | dict | distances.Distance = "euclidean",
        *,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.distance = distances.get(distance)
        cosine = isinstance(self.distance, distances.Cosine)
        if not (self.distance.smaller_is_closer or cosine):
            raise ValueError(
                "`distance` must be the cosine or a distance of which a smaller value "
                f"is closer. Received: {type(self.distance).__name__}, of which a "
                "larger value is"
            )

    def value(
        self, embeddings: tf.Tensor, alike: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """The loss as a scalar, in the dtype of the embeddings.

        Args:
            embeddings: `(..., rows, features)`, float32 or float64.
            alike: `(..., rows, rows)` bool: which rows are of one class.
            weights: `(..., rows)`, the embeddings' dtype.
        """
        raise NotImplementedError

    def pairwise(self, embeddings: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Distances `(..., rows, rows)`; whatever a row of weight 0 holds is unread.

        NaN where one is not finite: a margin would make a number of infinity.
        """
        embeddings = tf.where(weights[..., None] > 0, embeddings, 0.0)
        values = self.distance(embeddings, embeddings)
        values = finite_or_nan(values)
        return values if self.distance.smaller_is_closer else 1.0 - values

    def __call__(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The loss of a batch.

        Args:
            y_true: Class numbers `(batch,)` or `(batch, 1)`; or bool `(batch, batch)`,
                which rows are alike, the same both ways.
            y_pred: Embeddings `(batch, features)`.
            sample_weight: `(batch,)`, at least 0, `None` for 1. The weight of a pair
                or a triplet is the product of those of its rows.

        Returns:
            A scalar; NaN where a class number or a weight is not finite, or a weight
            is below 0.

        Raises:
            ValueError: When the shapes are others.
        """
        embeddings = tf.convert_to_tensor(y_pred)
        labels = tf.convert_to_tensor(y_true)
        if labels.dtype == tf.bool:
            alike = _of_pairs(labels, embeddings)
            labels = tf.zeros(tf.shape(embeddings)[:-1], tf.int32)
        else:
            labels = _of_rows(labels, embeddings, "y_true")
            alike = alike_pairs(labels)
        if sample_weight is None:
            weights = tf.ones(tf.shape(embeddings)[:-1], self.dtype)
        else:
            weights = _of_rows(sample_weight, embeddings, "sample_weight")
        # Comparisons with them are false, and would read them as a row of its own,
        # or as one that does not count.
        sound = all_finite([labels, weights]) & tf.reduce_all(weights >= 0)
        # Keras would round labels to its float type; whether two agree is exact.
        found = super().__call__((alike, weights), embeddings)
        return nan_unless(sound, found)

    def call(self, y_true: tuple[tf.Tensor, tf.Tensor], y_pred: tf.Tensor) -> tf.Tensor:
        """The loss from pairs and weights, both as floats; see `value`."""
        alike, weights = y_true
        return self.value(y_pred, alike > 0.5, weights)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "distance": keras.saving.serialize_keras_object(self.distance),
        }


def _of_rows(values: tf.Tensor, embeddings: tf.Tensor, argument: str) -> tf.Tensor:
    """One value of each row, without the last axis of 1 that Keras may add."""
    values = tf.convert_to_tensor(values)
    if values.shape.rank == embeddings.shape.rank and values.shape[-1] == 1:
        values = values[..., 0]
    if embeddings.shape.rank < 2 or not values.shape.is_compatible_with(
        embeddings.shape[:-1]
    ):
        raise ValueError(
            f"`{argument}` must hold one number for each row of the embeddings: shape "
            "(batch,) for embeddings of shape (batch, features). Received: shape "
            f"{tuple(values.shape)} for embeddings of shape {tuple(embeddings.shape)}"
        )
    return values


def _of_pairs(alike: tf.Tensor, embeddings: tf.Tensor) -> tf.Tensor:
    """What is said of each pair of rows."""
    rows = embeddings.shape[-2] if embeddings.shape.rank else None
    wanted = [*embeddings.shape[:-2], rows, rows]
    if embeddings.shape.rank < 2 or not alike.shape.is_compatible_with(wanted):
        raise ValueError(
            "`y_true` of bool must say of each pair of rows whether they are alike: "
            "shape (batch, batch) for embeddings of shape (batch, features). Received: "
            f"shape {tuple(alike.shape)} for embeddings of shape "
            f"{tuple(embeddings.shape)}"
        )
    return alike
