"""Files of pictures as what a served signature takes."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.layers import ResizedPictures, RGBPictures
from tfmeta.signatures.example_spec import ExampleSpec, all_layers


class EncodedPictures:
    """Decodes BMP, GIF, JPEG and PNG files to the examples of an encoder.

    As `tfmeta.datasets.reading.pictures.read_picture`: what is transparent is laid on
    white, colours become grey by ITU-R 601 where the encoder takes grey, of 16 bits
    the upper 8 are taken, of several frames the first, and CMYK of JPEG becomes RGB.
    One thing differs: a picture is not turned by its EXIF orientation, which
    TensorFlow's decoders do not read. JPEG and CMYK may differ by a few levels.

    A picture is brought to the one size of examples (bilinear, antialiased), or, where
    that is free, to the size that the encoder would bring it to.

    Args:
        examples: What the encoder takes: pictures of bytes.
        resized: The layer of the encoder that brings pictures to one size, where
            the size is free.
    """

    def __init__(self, examples: ExampleSpec, resized: ResizedPictures | None) -> None:
        self._height, self._width, channels = examples.shape
        self._channels = channels or 3
        self._resized = resized
        self._rgb = RGBPictures(name="decoded_rgb")

    @classmethod
    def of(
        cls, encoder: keras.Model | None, examples: ExampleSpec
    ) -> EncodedPictures | None:
        """The decoder for an encoder, `None` where it takes no such pictures.

        Those are uint8, with 1, 3 or 4 channels or any of these, of one size, or
        brought to one by a `tfmeta.layers.ResizedPictures`.
        """
        is_picture = len(examples.shape) == 3 and examples.dtype == tf.uint8
        if encoder is None or not is_picture:
            return None
        if examples.shape[-1] not in (None, 1, 3, 4):
            return None
        if None not in examples.shape[:2]:
            return cls(examples, None)
        layers = [x for x in all_layers(encoder) if isinstance(x, ResizedPictures)]
        return cls(examples, layers[0]) if len(layers) == 1 else None

    def decode(self, files: tf.Tensor) -> tf.Tensor:
        """Pictures `(batch, height, width, channels)` of files `(batch,)` of bytes.

        One at a time: only one is in memory in its own size. Uint8, or float32 where
        the encoder's own layer has resized them.
        """
        if self._resized is None:
            height, width, dtype = self._height, self._width, tf.uint8
        else:
            height = width = self._resized.size
            dtype = tf.float32
        return tf.map_fn(
            self._decode_one,
            files,
            fn_output_signature=tf.TensorSpec([height, width, self._channels], dtype),
            parallel_iterations=1,
        )

    def _decode_one(self, file: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_image(file, expand_animations=False)
        picture = self._rgb(tf.ensure_shape(picture, [None, None, None])[tf.newaxis])
        if self._channels == 1:
            picture = tf.image.rgb_to_grayscale(picture)
        if self._channels == 4:
            picture = tf.concat([picture, 255 * tf.ones_like(picture[..., :1])], -1)
        if self._resized is not None:
            return self._resized(picture)[0]
        resized = tf.image.resize(
            tf.round(picture), (self._height, self._width), antialias=True
        )
        return tf.cast(tf.round(resized), tf.uint8)[0]
