"""Random streams: derived from a seed by folding in, never by adding."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def check_seed(seed: int) -> int:
    """Returns `seed` as an int when it is a whole number in [0, 2**63)."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**63:
        raise ValueError(
            f"`seed` must be an int from 0 to 2**63 - 1. Received: seed={seed!r}"
        )
    return int(seed)


def step_streams(seed: int, step: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Independent stateless seeds for one step.

    Args:
        seed: The seed of the whole sequence.
        step: Scalar int64 tensor: which element of the sequence.
        count: How many streams are needed.

    Returns:
        `count` seeds of shape (2,) for `tf.random.stateless_*`. Every one is a
        function of (seed, step) alone. Neighbouring seeds and steps share
        nothing, which `seed + step` would not give.
    """
    root = tf.constant([seed, 0], tf.int64)
    at_step = tf.random.fold_in(root, tf.cast(step, tf.int64))
    return [tf.random.fold_in(at_step, tf.constant(i, tf.int64)) for i in range(count)]
