"""Tasks described by the mean and covariance of their features."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfmeta.tasks.description import Describer, Description, real_rows


@keras.saving.register_keras_serializable(package="tfmeta")
@dataclasses.dataclass(frozen=True)
class FeatureStatistics(Describer):
    """Mean and covariance of all examples, and the mean of each class.

    It needs no network of the task, and labels only for the means of classes.

    Args:
        covariance: Whether covariances stand beside the mean: `"none"`, `"diagonal"`,
            the variances, or `"full"`, the upper triangle, of `d (d + 1) / 2` numbers.
            Those beside the diagonal are multiplied by the square root of 2, so that
            squared distances are those of whole matrices.

    Raises:
        ValueError: For another word.
    """

    covariance: str = "diagonal"

    def __post_init__(self) -> None:
        if self.covariance not in ("none", "diagonal", "full"):
            raise ValueError(
                "`covariance` must be none, diagonal or full. Received: "
                f"covariance={self.covariance!r}"
            )

    def tensors(self, rows: tf.Tensor, labels: tf.Tensor) -> Description:
        """See `Describer`; `of_classes` holds the means `(tasks, ways, features)`."""
        rows, real = real_rows(rows, labels)
        labels = tf.cast(labels, rows.dtype)
        count = tf.maximum(tf.reduce_sum(real, axis=1), 1.0)[:, tf.newaxis]
        mean = tf.reduce_sum(rows, axis=1) / count
        common = [mean]
        centred = real[:, :, tf.newaxis] * (rows - mean[:, tf.newaxis])
        if self.covariance == "diagonal":
            common.append(tf.reduce_sum(centred**2, axis=1) / count)
        if self.covariance == "full":
            products = tf.matmul(centred, centred, transpose_a=True)
            products /= count[:, :, tf.newaxis]
            first, second = np.triu_indices(rows.shape[2])
            scale = np.where(first == second, 1, np.sqrt(2))
            places = np.stack([first, second], axis=-1)
            triangle = tf.gather_nd(tf.transpose(products, [1, 2, 0]), places)
            common.append(tf.transpose(triangle) * tf.cast(scale, rows.dtype))
        of_class = tf.reduce_sum(labels, axis=1)
        sums = tf.matmul(labels, rows, transpose_a=True)
        means = sums / tf.maximum(of_class, 1.0)[:, :, tf.newaxis]
        return Description(tf.concat(common, axis=1), means, of_class > 0)
