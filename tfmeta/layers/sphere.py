"""Scaling vectors to one length."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfmeta")
class Sphere(keras.layers.Layer):
    """Scales every vector to one length; a vector of zeros stays one.

    Squared Euclidean distances between such vectors are cosines in another
    measure, `2 radius² (1 - cosine)`, and the radius says how sharply a softmax
    over them decides. The gradient at zero is 0; that of
    `keras.layers.UnitNormalization` is huge, in half precision infinite.

    Args:
        radius: The length, above 0.

    Raises:
        ValueError: When `radius` is not above 0.

    Call arguments:
        inputs: `(..., features)`.

    Returns:
        The same shape and dtype.

    Example:

    ```python
    Sphere(10.0)(tf.constant([[3.0, 4.0], [0.0, 0.0]]))  # [[6, 8], [0, 0]]
    ```
    """

    def __init__(self, radius: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not radius > 0:
            raise ValueError(f"`radius` must be above 0. Received: radius={radius}")
        self.radius = float(radius)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Vectors of length `radius`."""
        # The square of a small number underflows in half precision.
        narrow = inputs.dtype in (tf.float16, tf.bfloat16)
        wide = tf.cast(inputs, tf.float32) if narrow else inputs
        square = tf.reduce_sum(tf.square(wide), axis=-1, keepdims=True)
        # The root has no finite slope at 0: zeros go through the constant branch.
        positive = square > 0
        inverse = tf.where(positive, tf.math.rsqrt(tf.where(positive, square, 1)), 0)
        return tf.cast(self.radius * wide * inverse, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "radius": self.radius}
