"""Taking examples out of a table inside a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.examples import Examples
from tfmeta.datasets.storage.rotated import RotatedExamples
from tfmeta.datasets.storage.selected import SelectedExamples

Gather = Callable[[tf.Tensor], tf.Tensor]


def make_gather(examples: Examples) -> Gather:
    """A function from rows to examples that works in and outside of a graph.

    Args:
        examples: Of a class table: an array, a memory map, `EncodedPictures`,
            `SelectedExamples` or `RotatedExamples`. An object array must hold
            str, which become `tf.string`.

    Returns:
        A function of an int64 tensor of any static rank; it returns examples
        of shape `(*rows.shape, *example)`.

    Raises:
        TypeError: For examples of another type.

    Example:

    ```python
    gather = make_gather(table.examples)
    gather(tf.constant([[3, 1]], tf.int64)).shape  # (1, 2, 28, 28, 1)
    ```
    """
    if isinstance(examples, SelectedExamples):
        rows_of = _in_memory(examples.rows)
        parent = make_gather(examples.parent)
        return lambda rows: parent(rows_of(rows))
    if isinstance(examples, RotatedExamples):
        turns_of = _in_memory(examples.turns)
        upright = make_gather(examples.parent)
        return lambda rows: _turned(upright(rows), turns_of(rows))
    if isinstance(examples, EncodedPictures):
        return _decoding(examples)
    if isinstance(examples, np.memmap):
        return _from_disk(examples)
    if isinstance(examples, np.ndarray):
        return _in_memory(examples)
    raise TypeError(
        "`examples` must be a NumPy array, a memory map, EncodedPictures, "
        f"SelectedExamples or RotatedExamples. Received: {type(examples).__name__}"
    )


def _in_memory(examples: np.ndarray) -> Gather:
    # One copy for all data sets and batches, and in the memory of the host,
    # where `tf.data` runs.
    with tf.init_scope(), tf.device("CPU"):
        constant = tf.convert_to_tensor(examples)
    return lambda rows: tf.gather(constant, rows)


def _from_disk(examples: np.memmap) -> Gather:
    def read(rows: np.ndarray) -> np.ndarray:
        return np.take(examples, rows, axis=0, mode="clip")

    def gather(rows: tf.Tensor) -> tf.Tensor:
        taken = tf.numpy_function(read, [rows], examples.dtype, stateful=False)
        taken.set_shape([*rows.shape, *examples.shape[1:]])
        return taken

    return gather


def _decoding(pictures: EncodedPictures) -> Gather:
    def read(rows: np.ndarray) -> np.ndarray:
        return np.array([pictures.file(row) for row in rows], object)

    def decode(file: tf.Tensor) -> tf.Tensor:
        # Also for PNG. The accurate method is Pillow's.
        return tf.io.decode_jpeg(
            file, pictures.picture_shape[2], dct_method="INTEGER_ACCURATE"
        )

    @tf.function(reduce_retracing=True)
    def gather(rows: tf.Tensor) -> tf.Tensor:
        files = tf.numpy_function(
            read, [tf.reshape(rows, [-1])], tf.string, stateful=False
        )
        files.set_shape([None])
        spec = tf.TensorSpec(pictures.picture_shape, tf.uint8)
        decoded = tf.map_fn(decode, files, fn_output_signature=spec)
        shape: list[Any] = [*rows.shape, *pictures.picture_shape]
        return tf.ensure_shape(
            tf.reshape(
                decoded, tf.concat([tf.shape(rows), pictures.picture_shape], 0)
            ),
            shape,
        )

    return gather


def _turned(pictures: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Pictures turned anti-clockwise, each by its own number of quarter turns."""
    turns = turns[..., tf.newaxis, tf.newaxis, tf.newaxis]
    rank = len(pictures.shape)
    swapped = [*range(rank - 3), rank - 2, rank - 3, rank - 1]
    pictures = tf.where(turns % 2 == 1, tf.transpose(pictures, swapped), pictures)
    upside_down = tf.reverse(pictures, [rank - 3])
    pictures = tf.where((turns == 1) | (turns == 2), upside_down, pictures)
    mirrored = tf.reverse(pictures, [rank - 2])
    return tf.where(turns >= 2, mirrored, pictures)
