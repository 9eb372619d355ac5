import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.evaluation import over_episode_draws, over_trials


def test_over_episode_draws_by_hand():
    accuracies = [0.2, 0.4, 0.6, 0.8]
    # The squared deviations from 0.5 add up to 0.2, over 4 - 1 degrees of freedom.
    expected = 1.96 * math.sqrt(0.2 / 3) / 2
    assert over_episode_draws(np.array(accuracies)) == pytest.approx(
        expected, rel=1e-12
    )
    assert expected == pytest.approx(
        1.96 * statistics.stdev(accuracies) / math.sqrt(4), rel=1e-12
    )


def test_over_episode_draws_uses_the_normal_quantile():
    spread = over_episode_draws(np.array([-1.0, 1.0] * 5000))
    quantile = statistics.NormalDist().inv_cdf(0.975)
    assert spread * 100 == pytest.approx(quantile, rel=1e-3)


def test_over_episode_draws_covers_the_luck_of_drawing():
    generator = np.random.default_rng(0)
    samples = generator.beta(8, 4, size=(2000, 600))
    covered = [
        abs(sample.mean() - 8 / 12) <= over_episode_draws(sample) for sample in samples
    ]
    assert 0.935 < np.mean(covered) < 0.965


@pytest.mark.parametrize("count", [0, 1])
def test_over_episode_draws_needs_two(count):
    with pytest.raises(ValueError, match=f"at least 2 episodes.*{count}"):
        over_episode_draws(np.full(count, 0.5))


@given(st.integers(1, 500), st.data())
def test_over_trials_holds_the_shares_that_the_normal_test_does_not_reject(
    trials, data
):
    count = data.draw(st.integers(0, trials))
    low, high = over_trials(count, trials)
    assert 0 <= low <= count / trials <= high <= 1
    # Wilson's interval: at its ends the count is 1.96 deviations from its mean.
    for end in {low, high} - {0.0, 1.0}:
        deviation = math.sqrt(end * (1 - end) / trials)
        assert abs(count / trials - end) / deviation == pytest.approx(1.96, rel=1e-6)


def test_over_trials_has_a_width_where_all_end_alike():
    low, high = over_trials(0, 400)
    assert (low, round(high, 4)) == (0.0, 0.0095)
    low, high = over_trials(400, 400)
    assert (round(low, 4), high) == (0.9905, 1.0)


@pytest.mark.parametrize(("count", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_over_trials_refuses_impossible_counts(count, trials):
    with pytest.raises(ValueError, match=f"count={count}, trials={trials}"):
        over_trials(count, trials)
