"""Numbers that are not finite are passed on, and never read as something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf


def finite_or_nan(values: tf.Tensor) -> tf.Tensor:
    """What is finite as it is, all else as NaN.

    Infinity alone would not do where `-inf` means a way that is absent, or where a
    sigmoid or a margin makes a number of it again.
    """
    nan = tf.constant(float("nan"), values.dtype)
    return tf.where(tf.math.is_finite(values), values, nan)


def all_finite(tensors: Iterable[Any]) -> tf.Tensor:
    """A scalar bool: whether all floating-point numbers of all tensors are finite."""
    sound = tf.constant(True)
    for tensor in tensors:
        values = tf.convert_to_tensor(tensor)
        if values.dtype.is_floating:
            sound &= tf.reduce_all(tf.math.is_finite(values))
    return sound


def finite_rows(values: tf.Tensor, leading: int = 1) -> tf.Tensor:
    """Which rows hold finite numbers alone.

    Args:
        values: Any dtype and shape.
        leading: How many axes number the rows.

    Returns:
        Bool, the first `leading` axes of `values`.
    """
    if not values.dtype.is_floating:
        return tf.ones(tf.shape(values)[:leading], tf.bool)
    axes = list(range(leading, values.shape.rank))
    return tf.reduce_all(tf.math.is_finite(values), axis=axes)


def nan_unless(sound: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Outputs, NaN where `sound` is False.

    For what a model makes of numbers that are not finite. Maximum pooling takes NaN
    for the least number there is, so that one picture with a NaN, or one weight,
    leaves a convolutional network as numbers that look like any others.

    Args:
        sound: Bool, a scalar or of the first axes of `outputs`.
        outputs: Floating-point.
    """
    missing = outputs.shape.rank - sound.shape.rank
    shape = tf.concat([tf.shape(sound), tf.ones([missing], tf.int32)], axis=0)
    nan = tf.constant(float("nan"), outputs.dtype)
    return tf.where(tf.reshape(sound, shape), outputs, nan)
