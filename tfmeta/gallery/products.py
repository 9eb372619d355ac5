"""Products of queries with a large table of vectors, by what is fastest."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

# How many threads share work that is NumPy's alone.
THREADS = min(4, os.cpu_count() or 1)
# From so many numbers of a matrix on OpenBLAS multiplies it with a vector in threads of
# its own. They wait for each other by spinning, which beside those of TensorFlow, or of
# another program, costs ten times what it brings.
_ONE_THREAD = 9216
_LEAST_ROWS = 16

One = TypeVar("One")
Made = TypeVar("Made")

_POOL = concurrent.futures.ThreadPoolExecutor(THREADS, "tfmeta-gallery")


def in_threads(function: Callable[[One], Made], parts: Sequence[One]) -> list[Made]:
    """What `function` makes of each part, the first one in this thread."""
    others = [_POOL.submit(function, part) for part in parts[1:]]
    return [function(parts[0]), *(one.result() for one in others)]


class VectorTable:
    """Vectors that many queries are multiplied with, in memory of somebody else.

    One query is a matter of reading the table, which NumPy begins sooner; several are a
    product of matrices, where TensorFlow's threads do better.

    Args:
        vectors: Float32 `(rows, features)`, of `state_table.aligned_zeros`, with a
            multiple of `state_table.ROWS_TOGETHER` rows; may change in place.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        rows, features = vectors.shape
        with tf.device("CPU"):
            self._tensor = tf.experimental.dlpack.from_dlpack(vectors.__dlpack__())
        block = 1 << (_ONE_THREAD // max(1, features)).bit_length() - 1
        block = min(block, rows & -rows)
        self._blocks: list[np.ndarray] = []
        if block >= _LEAST_ROWS:
            blocks = vectors.reshape(-1, block, features)
            self._blocks = np.array_split(blocks, THREADS)

    def times(self, queries: np.ndarray) -> np.ndarray:
        """Float32 `(queries, rows)`, which may not be written to.

        Args:
            queries: Float32 `(queries, features)`.
        """
        if len(queries) == 1 and self._blocks:
            query = queries[0]
            parts = in_threads(lambda part: np.matmul(part, query), self._blocks)
            return np.concatenate([part.reshape(-1) for part in parts])[None]
        # On a GPU products of float32 may have the digits of half precision.
        with tf.device("CPU"):
            product = _product(tf.constant(queries), self._tensor)
        return np.asarray(memoryview(product))


@tf.function(reduce_retracing=True)
def _product(queries: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    return tf.matmul(queries, vectors, transpose_b=True)
