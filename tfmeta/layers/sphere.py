"""Scaling vectors to one length."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.squares import wide_dtype


def unit_vectors(vectors: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Vectors scaled to length 1; a vector of zeros stays one.

    Whatever its length: a vector is first divided by its largest magnitude, so that
    its square neither vanishes nor overflows from the smallest normal number to the
    largest. (`tf.math.l2_normalize` shortens what is shorter than 1e-6.) The gradient
    is right for every other vector, and 0 for zeros, where there is none.

    Args:
        vectors: Float, of any shape.
        axis: The axis of a vector's numbers.

    Returns:
        Shape and dtype of `vectors`; NaN for a vector that is not finite.

    Example:

    ```python
    unit_vectors(tf.constant([[3e-30, 4e-30], [0.0, 0.0]]))  # [[0.6, 0.8], [0, 0]]
    ```
    """
    wide = tf.cast(vectors, wide_dtype(vectors))
    size = tf.abs(wide)
    # Numbers below the smallest normal one are 0 to many processors. NaN is not.
    tiny = tf.constant(np.finfo(wide.dtype.as_numpy_dtype).tiny, wide.dtype)
    is_zero = tf.reduce_all(size < tiny, axis=axis, keepdims=True)
    one = tf.ones([], wide.dtype)
    largest = tf.reduce_max(size, axis=axis, keepdims=True)
    # The result does not depend on this scale: as a constant it leaves gradients
    # what they are.
    scaled = wide / tf.stop_gradient(tf.where(is_zero, one, largest))
    square = tf.reduce_sum(tf.square(scaled), axis=axis, keepdims=True)
    # The root has no finite slope at 0: zeros go through a constant branch.
    unit = scaled * tf.math.rsqrt(tf.where(is_zero, one, square))
    return tf.cast(tf.where(is_zero, 0 * one, unit), vectors.dtype)


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
        wide = tf.cast(inputs, wide_dtype(inputs))
        return tf.cast(self.radius * unit_vectors(wide), inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "radius": self.radius}
