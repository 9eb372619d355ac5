"""Indices against closed forms and against an independent solution."""

import functools

import numpy as np
import pytest

from tfmeta.control.gittins import finite_horizon_indices


def test_of_the_last_pull_it_is_the_posterior_mean():
    index = finite_horizon_indices(4)[1]
    for successes in range(4):
        for failures in range(4 - successes):
            mean = (successes + 1) / (successes + failures + 2)
            assert index[successes, failures] == pytest.approx(mean, abs=1e-12)


def test_of_two_pulls_it_is_the_closed_form():
    # 2r = mean + chance·max(r, after success) + (1 - chance)·r, with r between the
    # means after a failure and after a success.
    index = finite_horizon_indices(3)[2]
    for a, b in ((1, 1), (2, 1), (1, 2)):
        mean, after = a / (a + b), (a + 1) / (a + b + 1)
        expected = mean * (1 + after) / (1 + mean)
        assert index[a - 1, b - 1] == pytest.approx(expected, abs=1e-6)


def solved(successes, failures, left):
    """By bisection of a recursion, one arm at a time."""

    def gain(rate):
        @functools.cache
        def value(s, f, m):
            return 0.0 if m == 0 else max(rate * m, unknown(s, f, m))

        def unknown(s, f, m):
            chance = (s + 1) / (s + f + 2)
            won = 1 + value(s + 1, f, m - 1)
            return chance * won + (1 - chance) * value(s, f + 1, m - 1)

        return unknown(successes, failures, left) - rate * left

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return low


@pytest.mark.parametrize(
    "successes, failures, left", [(0, 0, 10), (3, 1, 6), (0, 4, 5), (2, 2, 3)]
)
def test_agrees_with_bisection(successes, failures, left):
    found = finite_horizon_indices(10)[left][successes, failures]
    assert found == pytest.approx(solved(successes, failures, left), abs=1e-5)


def test_there_is_none_of_what_cannot_have_been():
    indices = finite_horizon_indices(5)
    assert [len(table) for table in indices] == [0, 5, 4, 3, 2, 1]
    assert np.isnan(indices[1][2, 3]) and np.isfinite(indices[1][2, 2])


@pytest.mark.parametrize("pulls", [0, -1, 2.0, True])
def test_refuses_what_is_no_number_of_pulls(pulls):
    with pytest.raises(ValueError, match="`pulls` must be an int of at least 1"):
        finite_horizon_indices(pulls)
