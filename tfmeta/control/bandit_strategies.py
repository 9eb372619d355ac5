"""Strategies of the literature that play bandits, to measure a learner by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tfmeta.control.gittins import finite_horizon_indices
from tfmeta.evaluation.intervals import over_episode_draws

# From successes and failures, int `(bandits, arms)`, and the pulls that are left, to
# what each arm is worth, `(bandits, arms)`: the best is pulled, of equals any.
Strategy: TypeAlias = Callable[
    [np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray
]


@dataclasses.dataclass(frozen=True)
class BanditResult:
    """How a strategy did.

    Attributes:
        totals: Float64 `(bandits,)`, total reward of each.
        mean: Of them.
        half_width: Of the customary 95 % interval of the mean, `1.96·s/√n`.
    """

    totals: np.ndarray
    mean: float
    half_width: float


def random_arm(
    successes: np.ndarray, failures: np.ndarray, left: int, rng: np.random.Generator
) -> np.ndarray:
    """All arms alike."""
    return np.zeros(successes.shape)


def greedy(
    successes: np.ndarray, failures: np.ndarray, left: int, rng: np.random.Generator
) -> np.ndarray:
    """The posterior mean of each arm, its prior uniform."""
    return (successes + 1) / (successes + failures + 2)


def thompson_sampling(
    successes: np.ndarray, failures: np.ndarray, left: int, rng: np.random.Generator
) -> np.ndarray:
    """A draw of each arm's posterior, its prior uniform (Thompson, 1933)."""
    return rng.beta(successes + 1, failures + 1)


def make_ucb1(exploration: float = 2.0) -> Strategy:
    """UCB1.

    Of Auer et al. (2002), *Finite-time Analysis of the Multiarmed Bandit Problem*. Each
    arm once, then the greatest `mean + √(exploration · ln t / n)` of an arm that was
    pulled `n` of `t` times.

    Args:
        exploration: 2 in the paper; less does better where there are few pulls.
    """
    if not exploration >= 0:
        raise ValueError(
            f"`exploration` must be at least 0. Received: exploration={exploration}"
        )

    def ucb1(
        successes: np.ndarray,
        failures: np.ndarray,
        left: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        pulled = successes + failures
        total = pulled.sum(axis=1, keepdims=True)
        at_least_one = np.maximum(pulled, 1)
        width = np.sqrt(exploration * np.log(np.maximum(total, 1)) / at_least_one)
        return np.where(pulled == 0, np.inf, successes / at_least_one + width)

    return ucb1


def make_gittins(pulls: int) -> Strategy:
    """The index of Gittins for a finite horizon; see `finite_horizon_indices`.

    Args:
        pulls: Of a whole bandit.
    """
    indices = finite_horizon_indices(pulls)

    def gittins(
        successes: np.ndarray,
        failures: np.ndarray,
        left: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        return indices[left][successes, failures]

    return gittins


# By name, made for a number of pulls.
STRATEGIES: dict[str, Callable[[int], Strategy]] = {
    "gittins": make_gittins,
    "thompson": lambda pulls: thompson_sampling,
    "ucb1": lambda pulls: make_ucb1(),
    "greedy": lambda pulls: greedy,
    "random": lambda pulls: random_arm,
}


def play(
    strategy: Strategy, probabilities: np.ndarray, pulls: int, *, seed: int
) -> BanditResult:
    """Plays bandits whose arms pay 1 or 0, all at once.

    Args:
        strategy: By which; it knows the rewards of its own pulls alone.
        probabilities: Float `(bandits, arms)`, at least two bandits: how often each
            arm pays. Strategies that play the same can be compared in pairs.
        pulls: Of each bandit.
        seed: Of rewards, and of what a strategy draws.

    Raises:
        ValueError: When there are too few bandits or pulls, or no probabilities.

    Example:

    ```python
    arms = np.random.default_rng(0).uniform(size=(10_000, 5))
    found = play(thompson_sampling, arms, 10, seed=1)
    print(f"{found.mean:.2f} ± {found.half_width:.2f}")
    ```
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or len(probabilities) < 2 or not probabilities.size:
        raise ValueError(
            "`probabilities` must be (bandits, arms), of at least 2 bandits. Received: "
            f"shape {probabilities.shape}"
        )
    # Also false for NaN.
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError(
            "`probabilities` must be from 0 to 1. Received: from "
            f"{probabilities.min()} to {probabilities.max()}"
        )
    if isinstance(pulls, bool) or not isinstance(pulls, int) or pulls < 1:
        raise ValueError(f"`pulls` must be an int of at least 1. Received: {pulls!r}")
    # A stream of its own for rewards: strategies that draw more see the same luck.
    of_rewards, of_strategy = map(
        np.random.default_rng, np.random.SeedSequence(seed).spawn(2)
    )
    bandits = np.arange(len(probabilities))
    successes = np.zeros(probabilities.shape, np.int64)
    failures = np.zeros_like(successes)
    for left in range(pulls, 0, -1):
        worth = strategy(successes, failures, left, of_strategy)
        best = worth == worth.max(axis=1, keepdims=True)
        ties = of_strategy.random(worth.shape)
        arms = np.where(best, ties, -1.0).argmax(axis=1)
        paid = of_rewards.random(len(bandits)) < probabilities[bandits, arms]
        successes[bandits, arms] += paid
        failures[bandits, arms] += ~paid
    totals = successes.sum(axis=1).astype(np.float64)
    return BanditResult(totals, float(totals.mean()), over_episode_draws(totals))
