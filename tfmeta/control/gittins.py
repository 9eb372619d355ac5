"""What an arm of a bandit is worth while a number of pulls is left."""

from __future__ import annotations

import numpy as np

# Rates of the known arm that are tried; between two of them the index is interpolated.
_RATES = 513


def finite_horizon_indices(pulls: int) -> list[np.ndarray]:
    """Gittins' indices of arms that pay 1 or 0, their prior uniform.

    The index for a finite horizon, without discount (Niño-Mora, 2011, *Computing a
    Classical Index for Finite-Horizon Bandits*; Kaufmann, 2018): the rate at which a
    known arm would have to pay, so that to pull it in all `left` pulls is as good as
    to begin with the unknown arm and change over whenever that is better. Found by
    dynamic programming over posteriors for many rates at once. It is the best that can
    be done of one unknown arm beside a known one; of several unknown arms it is nearly
    so.

    Args:
        pulls: Of a whole bandit, at most some hundred: work grows with the third power.

    Returns:
        By the pulls that are left, from 0 (which is empty) to `pulls`: float64
        `(successes, failures)`, NaN where there cannot have been so many.

    Raises:
        ValueError: When `pulls` is no int of at least 1.
    """
    if isinstance(pulls, bool) or not isinstance(pulls, int) or pulls < 1:
        raise ValueError(f"`pulls` must be an int of at least 1. Received: {pulls!r}")
    rates = np.linspace(0.0, 1.0, _RATES)
    indices = [np.full((0, 0), np.nan)]
    # Of no pull nothing is had, whatever the posterior.
    value = np.zeros((pulls + 1, pulls + 1, _RATES))
    for left in range(1, pulls + 1):
        # Of how many successes and failures there may have been before.
        size = pulls - left + 1
        successes, failures = np.indices((size, size))
        possible = successes + failures < size
        chance = ((successes + 1) / (successes + failures + 2))[..., None]
        unknown = chance * (1 + value[1 : size + 1, :size])
        unknown += (1 - chance) * value[:size, 1 : size + 1]
        known = rates * left
        crossing = _crossing(unknown - known, rates)
        indices.append(np.where(possible, crossing, np.nan))
        value = np.maximum(unknown, known)
    return indices


def _crossing(advantage: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Where the advantage of the unknown arm, which falls with the rate, is 0.

    Args:
        advantage: `(..., rates)`, above 0 at the first rate and not above at the last.
        rates: `(rates,)`.
    """
    after = np.argmax(advantage <= 0, axis=-1)[..., None]
    at = np.take_along_axis(advantage, after, axis=-1)
    before = np.take_along_axis(advantage, after - 1, axis=-1)
    step = rates[1] - rates[0]
    return (rates[after] + step * at / (before - at))[..., 0]
