"""Pictures of any kind of channels as red, green and blue."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

WHITE = 255.0


@keras.saving.register_keras_serializable(package="tfmeta")
class RGBPictures(keras.layers.Layer):
    """Brings pictures to three channels.

    Grey is repeated, and what is transparent is laid on white, as
    `tfmeta.datasets.reading.pictures.read_picture` does it.

    Call it on pictures `(batch, height, width, channels)` of raw pixels, 0 to 255, with
    1 channel (grey), 2 (grey and opacity), 3 (colours) or 4 (colours and opacity). It
    computes in float32 whatever the global dtype policy, since half precision holds few
    pixels well, and gives `(batch, height, width, 3)`.

    Args:
        **kwargs: `name` and others of `keras.layers.Layer`.

    Raises:
        ValueError: When called on something else.

    Example:

    ```python
    half_black = np.array([[[[0, 0, 0, 127.5]]]], "float32")
    tfmeta.layers.RGBPictures()(half_black)  # [[[[127.5, 127.5, 127.5]]]]
    ```
    """

    # Says to who writes a signature that the encoder takes raw pixels.
    takes_raw_pixels = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, pictures: tf.Tensor) -> tf.Tensor:
        """Three channels; see the class."""
        pictures = tf.cast(pictures, self.compute_dtype)
        channels = _checked(pictures.shape)
        if channels is not None:
            return _to_rgb(pictures, channels)
        count = tf.shape(pictures)[-1]
        kinds = {n: lambda n=n: _to_rgb(pictures, n) for n in (1, 2, 3, 4)}
        check = tf.debugging.Assert(
            (count >= 1) & (count <= 4),
            ["pictures must have 1, 2, 3 or 4 channels. Received:", count],
        )
        with tf.control_dependencies([check]):
            return tf.switch_case(count - 1, [kinds[n] for n in (1, 2, 3, 4)])

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple:
        """The shape with three channels."""
        _checked(shape)
        return (*shape[:-1], 3)


def _checked(shape: Any) -> int | None:
    """The channels of pictures, where their shape says it."""
    if len(shape) != 4 or shape[-1] not in (None, 1, 2, 3, 4):
        raise ValueError(
            "pictures must have shape (batch, height, width, channels) with 1, 2, 3 or "
            f"4 channels. Received: {tuple(shape)}"
        )
    return shape[-1]


def _to_rgb(pictures: tf.Tensor, channels: int) -> tf.Tensor:
    if channels in (2, 4):
        opacity = pictures[..., channels - 1 : channels] / WHITE
        pictures = pictures[..., : channels - 1]
        pictures = opacity * pictures + (1 - opacity) * WHITE
    elif pictures.shape[-1] is None:
        # Elsewhere it would copy a large picture as it is.
        pictures = pictures[..., :channels]
    if channels <= 2:
        pictures = tf.repeat(pictures, 3, axis=-1)
    return tf.ensure_shape(pictures, [None, None, None, 3])
