"""Stateless augmentation of the pictures of an episode."""

from __future__ import annotations

import dataclasses
import math
import numbers

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class RandomAffine:
    """Turns, shears, scales and shifts each picture at random, about its centre.

    The distortions of Koch, Zemel and Salakhutdinov (2015), *Siamese Neural
    Networks for One-shot Image Recognition*, in one bilinear interpolation.
    What enters from outside the picture is 0. Unlike the Keras preprocessing
    layers it keeps no generator state: the result is a function of the
    pictures and of `stream` alone, as episodes require.

    Args:
        rotation: Largest angle in degrees.
        shear: Largest shear, as a fraction of the side.
        scale: Largest change of size, below 1: each axis is divided by a number
            from `1 - scale` to `1 + scale`.
        translation: Largest shift, as a fraction of the side.

    Example:

    ```python
    Episodes(table, ways=60, queries=5, augment=RandomAffine(rotation=10.0))
    ```
    """

    rotation: float = 10.0
    shear: float = 0.2
    scale: float = 0.15
    translation: float = 0.05

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            limit = 180.0 if name == "rotation" else 1.0
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not real or not 0.0 <= value < limit:
                raise ValueError(
                    f"`{name}` must be a number of at least 0 and below {limit:g}. "
                    f"Received: {name}={value!r}"
                )

    def __call__(self, pictures: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        """Distorts `(batch, height, width, channels)`; dtype and shape stay.

        Args:
            pictures: Any real dtype. The arithmetic is float32; integers are
                rounded.
            stream: Stateless seed of shape (2,).

        Returns:
            The distorted pictures.

        Raises:
            ValueError: When `pictures` is not of rank 4.
        """
        pictures = tf.convert_to_tensor(pictures)
        if pictures.shape.rank != 4:
            raise ValueError(
                "`pictures` must have shape (batch, height, width, channels). "
                f"Received: shape {pictures.shape}"
            )
        shape = tf.shape(pictures)
        batch, height, width = shape[0], shape[1], shape[2]
        angle, shear_x, shear_y, zoom_x, zoom_y, shift_x, shift_y = tf.unstack(
            tf.random.stateless_uniform([7, batch], stream, -1.0, 1.0)
        )
        angle = angle * self.rotation * math.pi / 180.0
        zoom_x, zoom_y = 1.0 + zoom_x * self.scale, 1.0 + zoom_y * self.scale
        shear_x, shear_y = shear_x * self.shear, shear_y * self.shear
        cos, sin = tf.cos(angle), tf.sin(angle)
        # From an output pixel back to the input pixel it shows.
        a = (cos - sin * shear_y) * zoom_x
        b = (cos * shear_x - sin) * zoom_y
        d = (sin + cos * shear_y) * zoom_x
        e = (sin * shear_x + cos) * zoom_y
        side_x, side_y = tf.cast(width, tf.float32), tf.cast(height, tf.float32)
        centre_x, centre_y = (side_x - 1.0) / 2.0, (side_y - 1.0) / 2.0
        shift_x *= self.translation * side_x
        shift_y *= self.translation * side_y
        c = centre_x + shift_x - a * centre_x - b * centre_y
        f = centre_y + shift_y - d * centre_x - e * centre_y
        zero = tf.zeros_like(a)
        distorted = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(pictures, tf.float32),
            transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
            output_shape=tf.stack([height, width]),
            fill_value=0.0,
            interpolation="BILINEAR",
        )
        distorted = tf.ensure_shape(distorted, pictures.shape)
        if pictures.dtype.is_integer:
            distorted = tf.round(distorted)
        return tf.cast(distorted, pictures.dtype)
