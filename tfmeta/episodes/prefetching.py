"""Preparing batches ahead within a bounded memory."""

from __future__ import annotations

import math

import tensorflow as tf

_MOST_BYTES = 256 * 2**20
_MOST_BATCHES = 64


def prefetch(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Prepares as many batches ahead as fit into 256 MiB, at least two.

    `tf.data.AUTOTUNE` goes on to add to its buffer, up to half of the memory of
    the machine, when batches are used faster than they are made.

    Args:
        batches: Batches of static shape.

    Returns:
        The same batches.

    Example:

    ```python
    prefetch(tf.data.Dataset.range(10).batch(5, drop_remainder=True))
    ```
    """
    size = sum(
        spec.dtype.size * math.prod(n or 1 for n in spec.shape)
        for spec in tf.nest.flatten(batches.element_spec)
    )
    return batches.prefetch(min(max(_MOST_BYTES // max(size, 1), 2), _MOST_BATCHES))
