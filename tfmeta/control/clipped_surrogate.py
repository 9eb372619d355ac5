"""Policy gradients whose step is held back where it has gone far enough."""

from __future__ import annotations

import tensorflow as tf


def generalized_advantages(
    rewards: tf.Tensor,
    values: tf.Tensor,
    mask: tf.Tensor,
    *,
    discount: float,
    trace: float,
) -> tf.Tensor:
    """Generalised advantages of sequences behind whose end there is nothing.

    Schulman et al. (2016), *High-Dimensional Continuous Control Using Generalized
    Advantage Estimation*: `sum over l of (discount · trace)^l · δ_(t+l)`, with `δ_t =
    r_t + discount · v_(t+1) - v_t`.

    Args:
        rewards: Float `(tasks, steps)`.
        values: Float `(tasks, steps)`, of before each step.
        mask: Bool `(tasks, steps)`: real steps, which come first.
        discount: Of a step.
        trace: λ of the paper: 0 for differences of one step, 1 for returns.

    Returns:
        `(tasks, steps)`, 0 where there was no step.
    """
    real = tf.cast(mask, values.dtype)
    values = values * real
    following = tf.concat([values[:, 1:], tf.zeros_like(values[:, :1])], axis=1)
    deltas = (rewards + discount * following - values) * real
    # A product with powers of the rate, not a loop: it is one operation.
    places = tf.range(tf.shape(values)[1])
    apart = places[:, tf.newaxis] - places[tf.newaxis]
    rate = tf.constant(discount * trace, values.dtype)
    powers = tf.pow(rate, tf.cast(tf.maximum(apart, 0), values.dtype))
    powers = tf.where(apart >= 0, powers, tf.zeros_like(powers))
    return tf.matmul(deltas, powers) * real


def clipped_surrogate(
    log_probabilities: tf.Tensor,
    old_log_probabilities: tf.Tensor,
    advantages: tf.Tensor,
    mask: tf.Tensor,
    clip: float,
) -> tf.Tensor:
    """Minus the clipped surrogate, the mean over all real steps.

    Schulman et al. (2017), *Proximal Policy Optimization Algorithms*, equation 7. Where
    both probabilities are equal its gradient is the policy gradient.

    Args:
        log_probabilities: Float `(tasks, steps)`, by the policy that is trained.
        old_log_probabilities: Likewise by the one that acted.
        advantages: Float `(tasks, steps)`.
        mask: Bool `(tasks, steps)`: real steps.
        clip: By how much the ratio of both may leave 1.
    """
    # Where nothing was chosen both are arbitrary.
    difference = tf.where(mask, log_probabilities - old_log_probabilities, 0.0)
    ratio = tf.exp(difference)
    held = tf.clip_by_value(ratio, 1 - clip, 1 + clip)
    gained = tf.minimum(ratio * advantages, held * advantages)
    return -masked_mean(gained, mask)


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean over real entries."""
    real = tf.cast(mask, values.dtype)
    kept = tf.where(mask, values, tf.zeros_like(values))
    return tf.reduce_sum(kept) / tf.maximum(tf.reduce_sum(real), 1)


def standardized(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Less their mean over real entries, divided by their standard deviation."""
    centred = values - masked_mean(values, mask)
    deviation = tf.sqrt(masked_mean(centred**2, mask))
    return tf.where(mask, centred / (deviation + 1e-8), tf.zeros_like(values))
