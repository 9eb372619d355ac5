"""Pictures of one size."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfmeta")
class ResizedPictures(keras.layers.Layer):
    """Stretches pictures to a square, bicubic and antialiased.

    Antialiased: when a picture shrinks, a pixel averages over all that it covers, as
    Pillow's `BICUBIC` does; `keras.layers.Resizing` takes four of them by default.
    Values stay between 0 and 255, which cubic curves leave at edges. Pictures of the
    right size pass as they are.

    Call it on float pictures `(batch, height, width, channels)` of raw pixels;
    it computes in float32 and gives `(batch, size, size, channels)`. XLA has no kernel
    for it, so models that hold it are compiled without, unless their pictures' size is
    known beforehand and right.

    Args:
        size: Height and width.
        **kwargs: `name` and others of `keras.layers.Layer`.

    Raises:
        ValueError: When `size` is not positive.

    Example:

    ```python
    layer = tfmeta.layers.ResizedPictures(224)
    layer(np.zeros((1, 84, 84, 3), "uint8")).shape  # (1, 224, 224, 3)
    ```
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if type(size) is not int or size < 1:
            raise ValueError(f"`size` must be a positive integer. Received: {size!r}")
        self.size = size
        self.supports_jit = False

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Notes whether there is nothing to do."""
        self.supports_jit = tuple(shape[1:3]) == (self.size, self.size)
        self.built = True

    def call(self, pictures: tf.Tensor) -> tf.Tensor:
        """The pictures in that size."""
        pictures = tf.cast(pictures, self.compute_dtype)
        if tuple(pictures.shape[1:3]) == (self.size, self.size):
            return pictures
        if pictures.shape[1] is not None and pictures.shape[2] is not None:
            return self._resized(pictures)
        is_right = tf.reduce_all(tf.shape(pictures)[1:3] == self.size)
        resized = tf.cond(
            is_right, lambda: tf.identity(pictures), lambda: self._resized(pictures)
        )
        return tf.ensure_shape(resized, [None, self.size, self.size, None])

    def _resized(self, pictures: tf.Tensor) -> tf.Tensor:
        resized = tf.image.resize(
            pictures,
            (self.size, self.size),
            method=tf.image.ResizeMethod.BICUBIC,
            antialias=True,
        )
        return tf.clip_by_value(resized, 0.0, 255.0)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple:
        """The shape in that size."""
        return (shape[0], self.size, self.size, shape[3])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size}
