"""Encoding examples of one shape or of many, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.datasets.storage.examples import StoredExamples
from tfmeta.features.digests import AnyExamples
from tfmeta.learners.embedding import encode, frozen_graph

# At once: networks for pictures take some ten megabytes for each.
_PICTURES, _OTHERS = 32, 256
# Of examples that wait for others of their shape.
_MOST_BYTES = 64 * 2**20

Reader: TypeAlias = Callable[[Path], np.ndarray]
# Places among the rows that were asked for, and their features.
Encode: TypeAlias = Callable[[np.ndarray], Iterator[tuple[np.ndarray, np.ndarray]]]


def reader_for(encoder: keras.Model) -> Reader:
    """Reads pictures in the channels of an encoder, and its size if it takes one."""

    def read(path: Path) -> np.ndarray:
        shape = encoder.inputs[0].shape[1:]
        if len(shape) != 3:
            raise ValueError(
                f"encoder {encoder.name!r} must take pictures (height, width, "
                f"channels), as {path} is one. Received: one for examples of shape "
                f"{tuple(shape)}"
            )
        size = None if None in shape[:2] else (shape[0], shape[1])
        return read_picture(path, size=size, channels=1 if shape[2] == 1 else 3)

    return read


def encode_in_batches(
    encoder: keras.Model, examples: AnyExamples, read: Reader
) -> Encode:
    """A function from rows of examples to their features, batch by batch.

    Args:
        encoder: The encoder, run in inference mode.
        examples: As of `features_of`.
        read: From a file to a picture.

    Returns:
        Given rows, it yields their places among these rows, int `(batch,)`, and their
        features, float32 `(batch, *features)`, NaN for what is not finite.
    """
    apply = in_one_graph(encoder)

    def encode_rows(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for places, batch in _batches(examples, rows, read):
            yield places, apply(tf.constant(batch)).numpy()

    return encode_rows


def in_one_graph(encoder: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Encodes batches of any size, by one graph for each dtype of examples.

    Args:
        encoder: The encoder, run in inference mode.

    Returns:
        From `(batch, *example)` to float32 `(batch, *features)`, NaN for what is not
        finite.
    """
    graphs: dict[tf.DType, Callable[[tf.Tensor], tf.Tensor]] = {}

    def apply(batch: tf.Tensor) -> tf.Tensor:
        # A graph around the one of a frozen encoder would be optimized anew.
        frozen = frozen_graph(encoder, batch.dtype)
        if frozen is not None:
            return tf.cast(frozen(batch), tf.float32)
        if batch.dtype not in graphs:
            spec = tf.TensorSpec([None, *encoder.inputs[0].shape[1:]], batch.dtype)

            # One graph, however many examples, whatever their size.
            @tf.function(input_signature=[spec])
            def embed(examples: tf.Tensor) -> tf.Tensor:
                return tf.cast(encode(encoder, examples), tf.float32)

            # As it is called, TensorFlow would warn of tracing for few batches.
            graphs[batch.dtype] = embed.get_concrete_function()
        return graphs[batch.dtype](batch)

    return apply


def _batches(
    examples: AnyExamples, rows: np.ndarray, read: Reader
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if isinstance(examples, np.ndarray | StoredExamples):
        at_once = _PICTURES if len(examples.shape) == 4 else _OTHERS
        for start in range(0, len(rows), at_once):
            places = np.arange(start, min(start + at_once, len(rows)))
            yield places, np.asarray(examples[rows[places]])
        return
    # By shape and dtype, as only such go together.
    waiting: dict[tuple, list[tuple[int, np.ndarray]]] = {}
    size = 0
    for place, row in enumerate(rows):
        example = examples[int(row)]
        if isinstance(example, Path):
            example = read(example)
        array = np.asarray(example, object if isinstance(example, str) else None)
        group = waiting.setdefault((array.shape, array.dtype), [])
        group.append((place, array))
        size += array.nbytes
        full = len(group) == (_PICTURES if array.ndim == 3 else _OTHERS)
        if full or size >= _MOST_BYTES:
            largest = max(waiting, key=lambda k: sum(a.nbytes for _, a in waiting[k]))
            taken = waiting.pop((array.shape, array.dtype) if full else largest)
            size -= sum(array.nbytes for _, array in taken)
            yield _together(taken)
    for group in waiting.values():
        yield _together(group)


def _together(group: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    places, arrays = zip(*group, strict=True)
    return np.array(places), np.stack(arrays)
