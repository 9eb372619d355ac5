"""Intervals for a mean accuracy, each named by what it covers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.finite import check_finite


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


def over_test_classes(
    correct: np.ndarray,
    total: np.ndarray,
    clusters: Sequence[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval over test classes and their images: a cluster bootstrap.

    Classes are drawn anew with replacement, each with all its queries, and the
    accuracy is computed again. A class brings its own images along, so their
    luck is covered with it. Classes made from one class (rotations) are drawn
    together.

    Args:
        correct: `(classes,)`: correctly classified queries of each class.
        total: `(classes,)`: queries of each class; classes without are left
            out.
        clusters: Name of the cluster of each class.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Returns:
        The 2.5th and the 97.5th percentile of the accuracy.
    """
    check_finite("correct", correct)
    check_finite("total", total)
    names, codes = np.unique(np.asarray(clusters, str), return_inverse=True)
    cluster_correct = np.bincount(codes, weights=correct, minlength=len(names))
    cluster_total = np.bincount(codes, weights=total, minlength=len(names))
    seen = cluster_total > 0
    cluster_correct, cluster_total = cluster_correct[seen], cluster_total[seen]
    if len(cluster_total) < 2:
        raise ValueError(
            "an interval over classes needs queries of at least 2 classes. Received: "
            f"{len(cluster_total)}"
        )
    rng = np.random.default_rng(seed)
    count = len(cluster_total)
    weights = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
    accuracies = (weights @ cluster_correct) / (weights @ cluster_total)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)


def over_trials(count: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share of independent trials: Wilson's.

    Unlike a multiple of the standard deviation it stays between 0 and 1, and has
    a width when all trials end alike (Wilson, 1927, *Probable Inference, the Law
    of Succession, and Statistical Inference*).

    Args:
        count: The trials with a certain outcome.
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
