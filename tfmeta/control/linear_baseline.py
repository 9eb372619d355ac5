"""A value of where an agent is, by least squares in each task."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.control.advantages import discounted_returns
from tfmeta.control.trajectories import Trajectories

# Observations beyond would make their squares the only ones that count.
_LARGEST = 10.0


def baseline_features(observations: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """What values are linear in.

    Duan, Chen, Houthooft, Schulman and Abbeel (2016), *Benchmarking Deep Reinforcement
    Learning for Continuous Control*: observations, their squares, a hundredth of
    the number of the step, its square, its cube, and 1. Observations are clipped to 10,
    as in the authors' code.

    Args:
        observations: Float `(..., size)`.
        steps: Float `(...)`, from 0.

    Returns:
        `(..., 2 * size + 4)`.
    """
    seen = tf.clip_by_value(observations, -_LARGEST, _LARGEST)
    time = steps[..., None] / 100.0
    parts = [seen, seen**2, time, time**2, time**3, tf.ones_like(time)]
    return tf.concat(parts, axis=-1)


def linear_values(
    trajectories: Trajectories, *, gamma: float, ridge: float = 1e-5
) -> tuple[tf.Tensor, tf.Tensor]:
    """Values by a ridge regression of the discounted returns, one in each task.

    Returns end where a trajectory does, also where it was cut off, as in the authors'
    code; that the number of the step is a feature lets the fit see it.

    Args:
        trajectories: What it is fitted to, and whose values are asked for.
        gamma: Discount.
        ridge: What is taken of the squared coefficients, beside the sum of squared
            errors.

    Returns:
        Of before every step `(tasks, trajectories, steps)`, and of after the last one
        `(tasks, trajectories)`.
    """
    mask = trajectories.mask
    seen = trajectories.observations
    dtype = seen.dtype
    steps = tf.broadcast_to(tf.range(seen.shape[2], dtype=dtype), tf.shape(mask))
    length = tf.reduce_sum(tf.cast(mask, dtype), axis=-1)
    features = baseline_features(seen, steps)
    real = tf.where(mask[..., None], features, tf.zeros_like(features))
    size = features.shape[-1]
    rows = tf.reshape(real, [tf.shape(real)[0], -1, size])
    wanted = discounted_returns(trajectories, gamma)
    targets = tf.reshape(wanted, [tf.shape(rows)[0], -1, 1])
    # Features are nearly the same in all trajectories: of normal equations in float32
    # too little would be left.
    rows, targets = tf.cast(rows, tf.float64), tf.cast(targets, tf.float64)
    gram = tf.matmul(rows, rows, transpose_a=True)
    gram += ridge * tf.eye(size, dtype=tf.float64)
    moments = tf.matmul(rows, targets, transpose_a=True)
    coefficients = tf.linalg.cholesky_solve(_cholesky(gram), moments)
    coefficients = tf.cast(coefficients, dtype)
    last = baseline_features(trajectories.last_observations, length)
    values = tf.matmul(features, coefficients[:, None])[..., 0]
    return values, tf.matmul(last, coefficients)[..., 0]


def _cholesky(gram: tf.Tensor) -> tf.Tensor:
    """Of what is not finite NaN, where TensorFlow would raise."""
    sound = tf.reduce_all(tf.math.is_finite(gram), axis=[1, 2], keepdims=True)
    found = tf.linalg.cholesky(
        tf.where(sound, gram, tf.eye(gram.shape[-1], dtype=gram.dtype))
    )
    return tf.where(sound, found, tf.constant(float("nan"), gram.dtype))
