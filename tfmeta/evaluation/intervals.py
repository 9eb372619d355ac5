"""Intervals for a mean accuracy, each named by what it covers."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import check_finite


def over_episode_draws(accuracies: np.ndarray) -> float:
    """Half-width `1.96·s/√n` of the customary 95 % interval.

    It covers the luck of drawing episodes from the given test classes and
    images, nothing else: episodes share both, so it shrinks with more episodes
    while the doubt about other classes stays (Lafargue et al., 2024, *Oops, I
    Sampled it Again*).

    Args:
        accuracies: Float array `(episodes,)`, at least two.
    """
    check_finite("accuracies", accuracies)
    if len(accuracies) < 2:
        raise ValueError(
            "an interval needs at least 2 episodes. Received: "
            f"{len(accuracies)} accuracies"
        )
    return float(1.96 * np.std(accuracies, ddof=1) / np.sqrt(len(accuracies)))


def over_trials(count: float, trials: float) -> tuple[float, float]:
    """95 % interval of a share of independent trials: Wilson's.

    Unlike a multiple of the standard deviation it stays between 0 and 1, and has
    a width when all trials end alike (Wilson, 1927, *Probable Inference, the Law
    of Succession, and Statistical Inference*).

    Args:
        count: The trials with a certain outcome; not whole where it is a mean.
        trials: All trials, at least one.

    Returns:
        The lower and the upper end.
    """
    if not 0 <= count <= trials or trials < 1:
        raise ValueError(
            "`count` must be from 0 to `trials`, and `trials` at least 1. Received: "
            f"count={count}, trials={trials}"
        )
    share, z = count / trials, 1.96
    centre = share + z * z / (2 * trials)
    reach = z * np.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scale = 1 + z * z / trials
    low, high = (centre - reach) / scale, (centre + reach) / scale
    # Rounding may leave a hair between the share and an end that it is equal to.
    return float(max(0.0, min(low, share))), float(min(1.0, max(high, share)))


@functools.cache
def student_t(degrees: int) -> float:
    """The 97.5th percentile of Student's t distribution, by bisection.

    `1 - I_x(n/2, 1/2) / 2` is its distribution function at `t > 0`, with
    `x = n / (n + t²)` and `I` the regularised incomplete beta function.

    Args:
        degrees: Degrees of freedom, at least 1.
    """
    low, high = 1.0, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        x = tf.constant(degrees / (degrees + middle**2), tf.float64)
        half = tf.constant(0.5, tf.float64)
        tail = float(tf.math.betainc(half * degrees, half, x)) / 2
        low, high = (middle, high) if tail > 0.025 else (low, middle)
    return (low + high) / 2
