import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.evaluation import over_episode_draws, over_test_classes, over_trials


def names(count):
    return [f"class{i:04d}" for i in range(count)]


def measure(generator, class_accuracies, *, episodes=600, ways=5, queries=15):
    """Episodes on given classes: accuracy by episode; correct, total by class."""
    count = len(class_accuracies)
    classes = np.array(
        [generator.choice(count, ways, replace=False) for _ in range(episodes)]
    )
    correct = generator.binomial(queries, class_accuracies[classes])
    return (
        correct.mean(axis=1) / queries,
        np.bincount(classes.ravel(), correct.ravel(), count),
        np.bincount(classes.ravel(), minlength=count) * queries,
    )


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


def test_over_test_classes_against_a_bootstrap_in_plain_loops():
    generator = random.Random(4)
    total = [generator.randrange(5, 60) for _ in range(25)]
    correct = [sum(generator.random() < 0.7 for _ in range(n)) for n in total]
    accuracies = []
    for _ in range(20_000):
        drawn = generator.choices(range(25), k=25)
        accuracies.append(sum(correct[c] for c in drawn) / sum(total[c] for c in drawn))
    accuracies.sort()
    low, high = over_test_classes(
        np.array(correct), np.array(total), names(25), resamples=20_000, seed=1
    )
    # Two bootstraps of 20,000 differ by their own luck, some 2 % of the width.
    width = accuracies[19_500] - accuracies[500]
    assert low == pytest.approx(accuracies[500], abs=0.05 * width)
    assert high == pytest.approx(accuracies[19_500], abs=0.05 * width)


def test_over_test_classes_is_normal_for_many_classes():
    # Equal totals: the accuracy is the mean over classes, and its bootstrap has
    # the standard error of a mean, with n in place of n - 1.
    generator = np.random.default_rng(2)
    correct = generator.binomial(100, generator.beta(6, 3, size=500))
    low, high = over_test_classes(
        correct, np.full(500, 100), names(500), resamples=20_000
    )
    rates = correct / 100
    half = statistics.NormalDist().inv_cdf(0.975) * np.std(rates) / math.sqrt(500)
    assert low == pytest.approx(rates.mean() - half, abs=0.05 * half)
    assert high == pytest.approx(rates.mean() + half, abs=0.05 * half)


def test_classes_that_differ_widen_the_interval_over_classes_alone():
    generator = np.random.default_rng(5)
    rates = generator.beta(7, 3, size=30)
    accuracies, correct, total = measure(generator, rates, episodes=5000)
    low, high = over_test_classes(correct, total, names(30))
    assert (high - low) / 2 > 5 * over_episode_draws(accuracies)
    assert low < accuracies.mean() < high


def test_the_interval_over_classes_covers_other_classes_of_the_kind():
    # 40 test classes from a population with accuracy 0.7: the interval over
    # episode draws misses the population most of the time.
    generator = np.random.default_rng(6)
    over_draws, over_classes = [], []
    for _ in range(200):
        rates = generator.beta(7, 3, size=40)
        accuracies, correct, total = measure(generator, rates)
        over_draws.append(
            abs(accuracies.mean() - 0.7) <= over_episode_draws(accuracies)
        )
        low, high = over_test_classes(correct, total, names(40), resamples=500)
        over_classes.append(low <= 0.7 <= high)
    assert np.mean(over_draws) < 0.6
    assert 0.89 < np.mean(over_classes) < 0.99


def test_rotations_count_as_one_class():
    generator = np.random.default_rng(7)
    # Four turned classes share the luck of their character.
    correct = generator.binomial(50, np.repeat(generator.beta(7, 3, size=20), 4))
    total = generator.integers(50, 90, size=80)
    clusters = [name for name in names(20) for _ in range(4)]
    folded = over_test_classes(correct, total, clusters)
    characters = over_test_classes(
        correct.reshape(20, 4).sum(axis=1), total.reshape(20, 4).sum(axis=1), names(20)
    )
    assert folded == characters
    low, high = over_test_classes(correct, total, names(80))
    assert folded[1] - folded[0] > 1.4 * (high - low)


def test_classes_without_queries_are_left_out():
    correct, total = np.array([3, 0, 5, 0, 9]), np.array([6, 0, 9, 0, 9])
    some = [0, 2, 4]
    assert over_test_classes(correct, total, names(5)) == over_test_classes(
        correct[some], total[some], ["a", "b", "c"]
    )


@pytest.mark.parametrize(
    ("total", "clusters"), [([9, 0], "ab"), ([9, 9], "aa"), ([0, 0], "ab")]
)
def test_over_test_classes_needs_two(total, clusters):
    with pytest.raises(ValueError, match="at least 2 classes"):
        over_test_classes(np.zeros(2), np.array(total), list(clusters))


def test_the_seed_decides():
    correct, total = np.arange(1, 13), np.full(12, 20)
    first, again = (over_test_classes(correct, total, names(12)) for _ in range(2))
    assert first == again
    assert first != over_test_classes(correct, total, names(12), seed=1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 30), st.sampled_from("abcdefg")),
        min_size=2,
    ).filter(lambda rows: len({name for *_, name in rows}) > 1),
    st.randoms(use_true_random=False),
)
def test_bounds_lie_among_the_classes_in_any_order(rows, shuffler):
    def interval():
        wrong, right, clusters = zip(*rows, strict=True)
        correct, total = np.array(right), np.array(right) + np.array(wrong)
        return over_test_classes(correct, total, clusters, resamples=200)

    low, high = interval()
    rates = {}
    for wrong, right, name in rows:
        a, b = rates.get(name, (0, 0))
        rates[name] = a + right, b + right + wrong
    of_clusters = [a / b for a, b in rates.values()]
    assert min(of_clusters) - 1e-12 <= low <= high <= max(of_clusters) + 1e-12
    shuffler.shuffle(rows)
    assert interval() == pytest.approx((low, high), rel=1e-12)


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
