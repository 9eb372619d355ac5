"""Taking examples out of a table inside a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.examples import Examples
from tfmeta.datasets.storage.rotated import RotatedExamples
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.row_tables import RowTable

# TensorFlow ends the process when it meets a tensor that begins elsewhere.
_ALIGNMENT = 64

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
    return RowTable(examples).gather


def _from_disk(examples: np.memmap) -> Gather:
    aligned = examples.ctypes.data % _ALIGNMENT == 0
    if aligned and examples.flags.c_contiguous and examples.dtype.isnative:
        capsule = np.asarray(_Writable(examples)).__dlpack__()
        with tf.init_scope():
            return RowTable(tf.experimental.dlpack.from_dlpack(capsule)).gather
    # A file of somebody else's, or a part of one: slower, through Python.
    dtype = examples.dtype.newbyteorder("=")

    def read(rows: np.ndarray) -> np.ndarray:
        return examples[rows].astype(dtype, copy=False)

    def gather(rows: tf.Tensor) -> tf.Tensor:
        taken = tf.numpy_function(read, [rows], dtype, stateful=False)
        return tf.ensure_shape(taken, [*rows.shape, *examples.shape[1:]])

    return gather


class _Writable:
    """Says of an array that it may be written to.

    NumPy exports no other by DLPack, which is how TensorFlow reads a memory map
    where it is: no Python at each batch, and no copy but of the pages it needs.
    TensorFlow never writes to a tensor that others see.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array = array  # Keeps it alive as long as what is made of it.
        interface = array.__array_interface__
        address, _ = interface["data"]
        self.__array_interface__ = {**interface, "data": (address, False)}


def _decoding(pictures: EncodedPictures) -> Gather:
    def read(rows: np.ndarray) -> np.ndarray:
        return np.array([pictures.file(row) for row in rows], object)

    def decode(file: tf.Tensor) -> tf.Tensor:
        # It decodes PNG as well. Only with this method are the pixels of a JPEG
        # those of Pillow.
        return tf.io.decode_jpeg(
            file, pictures.picture_shape[2], dct_method="INTEGER_ACCURATE"
        )

    # A graph also where the caller has none: one by one takes too long.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def decode_rows(rows: tf.Tensor) -> tf.Tensor:
        files = tf.numpy_function(read, [rows], tf.string, stateful=False)
        files.set_shape([None])
        spec = tf.TensorSpec(pictures.picture_shape, tf.uint8)
        return tf.map_fn(decode, files, fn_output_signature=spec)

    def gather(rows: tf.Tensor) -> tf.Tensor:
        with tf.device("CPU"):
            decoded = decode_rows(tf.reshape(tf.cast(rows, tf.int64), [-1]))
            shape = tf.concat([tf.shape(rows), pictures.picture_shape], 0)
            decoded = tf.reshape(decoded, shape)
        return tf.ensure_shape(decoded, [*rows.shape, *pictures.picture_shape])

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
