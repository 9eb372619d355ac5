"""Policy gradients whose step is held back where it has gone far enough."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.control.advantages import discounted_sums


def trial_advantages(
    rewards: tf.Tensor,
    values: tf.Tensor,
    mask: tf.Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> tf.Tensor:
    """Generalised advantages of whole trials, behind whose end there is nothing.

    As `tfmeta.control.advantages.generalized_advantages`, of one sequence a task: where
    an episode ends the next one follows, and its value counts.

    Args:
        rewards: Float `(tasks, steps)`, of a known number of steps.
        values: Likewise, of before each step.
        mask: Bool `(tasks, steps)`: real steps, which come first.
        gamma: Discount.
        gae_lambda: 0 for differences of one step, 1 for returns minus values.

    Returns:
        `(tasks, steps)`, 0 where there was no step.
    """
    nothing = tf.zeros_like(values)
    values = tf.where(mask, values, nothing)
    following = tf.concat([values[:, 1:], nothing[:, :1]], axis=1)
    deltas = tf.where(mask, rewards + gamma * following - values, nothing)
    return tf.where(mask, discounted_sums(deltas, gamma * gae_lambda), nothing)


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
