"""Simulated totals against exact enumeration of all that can happen."""

import functools

import numpy as np
import pytest

from tfmeta.control.bandit_strategies import (
    STRATEGIES,
    make_gittins,
    make_ucb1,
    play,
    thompson_sampling,
)

RNG = np.random.default_rng(0)


def choices(strategy, successes, failures, left):
    """Chances of each arm to be pulled, of a strategy that draws nothing."""
    rows = np.array([successes]), np.array([failures])
    worth = strategy(*rows, left, RNG)[0]
    best = worth == worth.max()
    return best / best.sum()


def thompson_choices(successes, failures):
    """Of two arms: P(Beta(a, b) > Beta(c, d)), by a quadrature of many points."""
    x = (np.arange(200_000) + 0.5) / 200_000
    (a, c), (b, d) = np.array(successes) + 1, np.array(failures) + 1
    first, second = x ** (a - 1) * (1 - x) ** (b - 1), x ** (c - 1) * (1 - x) ** (d - 1)
    below = np.cumsum(second) - second / 2
    chance = np.sum(first * below) / (first.sum() * second.sum())
    return np.array([chance, 1 - chance])


def enumerated(chances, arms, pulls):
    """Expected total over uniformly drawn arms, all that can happen weighed."""

    @functools.cache
    def value(successes, failures, left):
        if left == 0:
            return 0.0
        total = 0.0
        for arm, chosen in enumerate(chances(successes, failures, left)):
            if chosen == 0:
                continue
            s, f = list(successes), list(failures)
            paid = (s[arm] + 1) / (s[arm] + f[arm] + 2)
            s[arm] += 1
            won = 1 + value(tuple(s), failures, left - 1)
            f[arm] += 1
            lost = value(successes, tuple(f), left - 1)
            total += chosen * (paid * won + (1 - paid) * lost)
        return total

    return value((0,) * arms, (0,) * arms, pulls)


def best_possible(arms, pulls):
    """Of the Bayes-optimal strategy."""

    @functools.cache
    def value(successes, failures, left):
        if left == 0:
            return 0.0
        totals = []
        for arm in range(arms):
            s, f = list(successes), list(failures)
            paid = (s[arm] + 1) / (s[arm] + f[arm] + 2)
            s[arm] += 1
            f[arm] += 1
            won = 1 + value(tuple(s), failures, left - 1)
            lost = value(successes, tuple(f), left - 1)
            totals.append(paid * won + (1 - paid) * lost)
        return max(totals)

    return value((0,) * arms, (0,) * arms, pulls)


def expected_total(name, arms, pulls):
    if name == "thompson":
        return enumerated(lambda s, f, left: thompson_choices(s, f), arms, pulls)
    strategy = STRATEGIES[name](pulls)
    return enumerated(lambda s, f, left: choices(strategy, s, f, left), arms, pulls)


@pytest.mark.parametrize(
    "name, total",
    [
        # After a success the arm again, after a failure the other.
        ("gittins", 13 / 12),
        ("greedy", 13 / 12),
        ("ucb1", 1.0),
        ("random", 1.0),
        # It stays with 2/3 after a success, with 1/3 after a failure.
        ("thompson", 37 / 36),
    ],
)
def test_two_pulls_of_two_arms(name, total):
    assert expected_total(name, 2, 2) == pytest.approx(total, abs=1e-4)
    arms = np.random.default_rng(1).uniform(size=(200_000, 2))
    found = play(STRATEGIES[name](2), arms, 2, seed=2)
    assert found.mean == pytest.approx(total, abs=2 * found.half_width)
    assert found.half_width < 0.004


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_four_pulls_of_two_arms(name):
    arms = np.random.default_rng(3).uniform(size=(100_000, 2))
    found = play(STRATEGIES[name](4), arms, 4, seed=4)
    expected = expected_total(name, 2, 4)
    assert found.mean == pytest.approx(expected, abs=2 * found.half_width)


def test_gittins_is_nearly_the_best_that_can_be_done():
    for arms, pulls in ((2, 8), (3, 5)):
        best = best_possible(arms, pulls)
        assert best - 2e-3 < expected_total("gittins", arms, pulls) <= best + 1e-12
        assert expected_total("greedy", arms, pulls) < best


def test_an_interval_is_that_of_the_totals():
    arms = np.random.default_rng(5).uniform(size=(50, 3))
    found = play(thompson_sampling, arms, 6, seed=6)
    assert found.totals.shape == (50,) and found.mean == found.totals.mean()
    assert found.half_width == pytest.approx(
        1.96 * np.std(found.totals, ddof=1) / np.sqrt(50)
    )


def test_is_a_function_of_its_seed():
    arms = np.random.default_rng(7).uniform(size=(100, 3))
    one, same, other = (play(thompson_sampling, arms, 5, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.totals, same.totals)
    assert np.any(one.totals != other.totals)


def test_arms_that_always_or_never_pay():
    arms = np.array([[1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(play(make_gittins(7), arms, 7, seed=0).totals, [7, 0])


def test_less_exploration_is_greedier():
    arms = np.random.default_rng(8).uniform(size=(20_000, 5))
    usual, less = (play(make_ucb1(c), arms, 10, seed=9).mean for c in (2.0, 0.2))
    assert usual < less


@pytest.mark.parametrize(
    "probabilities, pulls, said",
    [
        ([[0.5, 0.5]], 3, "at least 2 bandits. Received: shape"),
        ([0.5, 0.5], 3, "must be .bandits, arms."),
        ([[0.5], [float("nan")]], 3, "must be from 0 to 1"),
        ([[0.5], [1.5]], 3, "must be from 0 to 1"),
        ([[0.5], [0.5]], 0, "`pulls` must be an int of at least 1"),
    ],
)
def test_refuses_in_one_line(probabilities, pulls, said):
    with pytest.raises(ValueError, match=said) as caught:
        play(thompson_sampling, np.array(probabilities), pulls, seed=0)
    assert "\n" not in str(caught.value)


def test_refuses_exploration_below_0():
    with pytest.raises(ValueError, match="`exploration` must be at least 0"):
        make_ucb1(-1.0)
