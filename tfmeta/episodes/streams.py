"""Random streams: derived from a seed by folding in, never by adding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class EpisodeStreams(NamedTuple):
    """The random streams of one step of `Episodes`, one for each thing drawn.

    A stream keeps its number for ever: published figures and runs that are
    resumed name their episodes by the seed alone. New ones come last.
    """

    group: tf.Tensor
    origins: tf.Tensor
    variants: tf.Tensor
    examples: tf.Tensor
    ways: tf.Tensor
    shots: tf.Tensor
    support_augment: tf.Tensor
    query_augment: tf.Tensor
    distractor_origins: tf.Tensor
    distractor_variants: tf.Tensor
    unlabelled: tf.Tensor
    distractor_examples: tf.Tensor
    unlabelled_order: tf.Tensor
    unlabelled_augment: tf.Tensor
    query_counts: tf.Tensor
    further_queries: tf.Tensor
    sequence_order: tf.Tensor

    @classmethod
    def at(cls, seed: int, step: int | tf.Tensor) -> EpisodeStreams:
        """The streams of a step, an int or a scalar integer tensor."""
        return cls(*step_streams(seed, as_step(step), len(cls._fields)))


def check_seed(seed: int) -> int:
    """Returns `seed` as an int when it is a whole number in [0, 2**63)."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**63:
        raise ValueError(
            f"`seed` must be an int from 0 to 2**63 - 1. Received: seed={seed!r}"
        )
    return int(seed)


def as_step(step: int | tf.Tensor) -> tf.Tensor:
    """The number of a step as an integer tensor.

    Raises:
        TypeError: When it is no integer.
    """
    number = tf.convert_to_tensor(step, None if tf.is_tensor(step) else tf.int64)
    if not number.dtype.is_integer:
        raise TypeError(f"`step` must be an integer. Received: {number.dtype.name}")
    return number


def step_streams(seed: int, step: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Independent stateless seeds for one step.

    Args:
        seed: The seed of the whole sequence.
        step: Scalar integer tensor: which element of the sequence.
        count: How many streams are needed.

    Returns:
        `count` seeds of shape (2,) for `tf.random.stateless_*`. Every one is a
        function of (seed, step) alone. Neighbouring seeds and steps share
        nothing, which `seed + step` would not give.
    """
    root = tf.constant([seed, 0], tf.int64)
    at_step = tf.random.fold_in(root, tf.cast(step, tf.int64))
    # To fold in a number puts it behind a hash of the seed: the hash is the same for
    # all, and every operation counts where each step of an evaluation is short.
    hashed, _ = tf.unstack(tf.random.fold_in(at_step, tf.constant(0, tf.int64)))
    numbers = tf.range(count, dtype=tf.int64)
    return tf.unstack(tf.stack([tf.fill([count], hashed), numbers], axis=1))
