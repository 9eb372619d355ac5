"""How much better what was done turned out than was to be expected."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.control.trajectories import Trajectories

_TINY = 1e-8


def discounted_sums(values: tf.Tensor, factor: float) -> tf.Tensor:
    """Of every step its value and the later ones, each step later times a factor.

    Args:
        values: Float `(..., steps)`, of a known number of steps.
        factor: Between 0 and 1.

    Returns:
        `(..., steps)`.
    """
    steps = values.shape[-1]
    # One product in place of a loop; below the diagonal the power would overflow.
    later = tf.range(steps)[:, None] - tf.range(steps)[None, :]
    powers = tf.cast(tf.maximum(later, 0), values.dtype)
    weights = tf.pow(tf.constant(factor, values.dtype), powers)
    weights = tf.where(later >= 0, weights, tf.zeros_like(weights))
    flat = tf.matmul(tf.reshape(values, [-1, steps]), weights)
    return tf.reshape(flat, tf.shape(values))


def discounted_returns(trajectories: Trajectories, gamma: float) -> tf.Tensor:
    """Of every step the discounted rewards from there on, 0 behind the end.

    Args:
        trajectories: What was given.
        gamma: Discount.

    Returns:
        `(tasks, trajectories, steps)`.
    """
    return discounted_sums(trajectories.rewards, gamma)


def generalized_advantages(
    trajectories: Trajectories,
    values: tf.Tensor,
    last_values: tf.Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> tf.Tensor:
    """Generalised advantage estimation.

    Schulman, Moritz, Levine, Jordan and Abbeel (2016), *High-Dimensional Continuous
    Control Using Generalized Advantage Estimation*: discounted sums, by gamma times
    lambda, of `reward + gamma * next value - value`. The value behind the last step of
    a trajectory is 0 where it terminated, else that of where it was cut off.

    Args:
        trajectories: What was given.
        values: `(tasks, trajectories, steps)`, of before each step.
        last_values: `(tasks, trajectories)`, of after the last one.
        gamma: Discount.
        gae_lambda: Lambda; 1 for returns minus values.

    Returns:
        `(tasks, trajectories, steps)`, 0 behind the end.
    """
    mask = trajectories.mask
    last_values = tf.where(
        trajectories.terminated, tf.zeros_like(last_values), last_values
    )
    # Behind the end stands what comes after the last step.
    values = tf.where(mask, values, last_values[..., None])
    following = tf.concat([values[..., 1:], last_values[..., None]], axis=-1)
    errors = trajectories.rewards + gamma * following - values
    errors = tf.where(mask, errors, tf.zeros_like(errors))
    return discounted_sums(errors, gamma * gae_lambda)


def normalized(advantages: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Of mean 0 and deviation 1 in each task.

    Args:
        advantages: `(tasks, trajectories, steps)`.
        mask: The same shape, bool.

    Returns:
        The same shape, 0 where the mask is False.
    """
    centred = advantages - masked_mean(advantages, mask)[:, None, None]
    scaled = centred / (spread(advantages, mask) + _TINY)[:, None, None]
    return tf.where(mask, scaled, tf.zeros_like(scaled))


def spread(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Standard deviation over the real steps of a task, `(tasks,)`.

    Args:
        values: `(tasks, trajectories, steps)`.
        mask: The same shape, bool.
    """
    centred = values - masked_mean(values, mask)[:, None, None]
    return tf.sqrt(masked_mean(centred**2, mask))


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean over the real steps of all trajectories of a task, `(tasks,)`.

    Args:
        values: `(tasks, trajectories, steps)`.
        mask: The same shape, bool.
    """
    count = tf.reduce_sum(tf.cast(mask, values.dtype), axis=[1, 2])
    total = tf.reduce_sum(tf.where(mask, values, tf.zeros_like(values)), axis=[1, 2])
    return total / tf.maximum(count, 1.0)
