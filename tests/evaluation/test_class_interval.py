import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_tasks import FEATURES, Kind, result_of

from tfmeta.evaluation import ClassInterval, compare, over_test_classes
from tfmeta.evaluation.intervals import student_t


def by_hand(values, episodes, count):
    """The jackknife in plain Python, of episodes of one number of ways."""
    total = len(values)
    mean = sum(values) / total
    square = statistics.variance(values)
    left, luck = [], 0.0
    for c in range(count):
        others = [v for v, held in zip(values, episodes, strict=True) if c not in held]
        left.append(sum(others) / len(others))
        held = total - len(others)
        luck += square * held / (total * (total - held))
    centre = sum(left) / count
    of_classes = sum((x - centre) ** 2 for x in left) - luck
    variance = (count - 1) / count * of_classes + square / total
    return mean, of_classes, math.sqrt(variance) if of_classes > 0 else None


def drawn(seed, *, count=12, ways=3, episodes=80, spread=0.3):
    """Values that the classes of an episode move, and these classes."""
    generator = np.random.default_rng(seed)
    classes = np.array(
        [generator.choice(count, ways, replace=False) for _ in range(episodes)]
    )
    of_class = spread * generator.normal(size=count)
    values = of_class[classes].mean(axis=1) + 0.1 * generator.normal(size=episodes)
    return values, classes


def names(count):
    return [f"class{number:03d}" for number in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_against_plain_python(seed):
    values, classes = drawn(seed)
    found = over_test_classes(values, classes, names(12), bounds=(-9, 9))
    mean, _, deviation = by_hand(values.tolist(), classes.tolist(), 12)
    # Student's t of eleven degrees of freedom, from a printed table.
    reach = 2.200985 * deviation
    assert found.ends == pytest.approx((mean - reach, mean + reach), rel=1e-6)
    assert (found.clusters, found.reason) == (12, None)


# Coverage and false winners of Gaussian tasks. Resampling the recall of each class
# covers 82, 89, 92 and 95 % here, and names a winner in 19 to 29 %.
KINDS = {
    "20 classes, 5-way 5-shot": (20, Kind(5, 5, 0.6), 200),
    "20 classes, 5-way 1-shot": (20, Kind(5, 1, 1.0), 200),
    "64 classes, 5-way 1-shot": (64, Kind(5, 1, 1.0), 200),
    "400 classes, 20-way 1-shot": (400, Kind(20, 1, 1.2, images=20), 60),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_coverage_where_classes_are_competitors_of_each_other(name):
    count, kind, redraws = KINDS[name]
    generator = np.random.default_rng(11)
    every, half = np.arange(FEATURES), FEATURES // 2
    many = kind.classes(generator, 2000)
    truth = kind.accuracies(many, *kind.episodes(generator, many, 3000), every).mean()
    covered, winners = [], []
    for _ in range(redraws):
        images = kind.classes(generator, count)
        classes, rows = kind.episodes(generator, images, 600)
        found = result_of(
            kind.accuracies(images, classes, rows, every), classes, count
        ).over_test_classes
        low, high = found.ends
        covered.append(low <= truth <= high)
        # Two learners that are equal by construction: each sees half of what makes
        # up an image, and all halves are alike in the population.
        seen = generator.permutation(FEATURES)
        first, second = (
            result_of(kind.accuracies(images, classes, rows, part), classes, count)
            for part in (seen[:half], seen[half:])
        )
        winners.append(compare(first, second).better is not None)
    assert np.mean(covered) >= 0.90
    assert np.mean(winners) <= 0.10


def test_a_real_difference_is_found():
    generator = np.random.default_rng(3)
    kind = Kind(5, 1, 1.0)
    images = kind.classes(generator, 64)
    classes, rows = kind.episodes(generator, images, 600)
    all_of_it, less = (
        result_of(kind.accuracies(images, classes, rows, np.arange(n)), classes, 64)
        for n in (16, 10)
    )
    assert compare(all_of_it, less).better == "first"
    assert compare(less, all_of_it).better == "second"


def test_the_centre_is_the_mean_over_episodes_where_ways_vary():
    # Of 2 to 6 ways: a pooled accuracy would be that of the large episodes.
    generator = np.random.default_rng(4)
    classes = np.full((4000, 6), -1)
    for row in classes:
        ways = generator.integers(2, 7)
        row[:ways] = generator.choice(40, ways, replace=False)
    ways = np.sum(classes >= 0, axis=1)
    of_class = 0.05 * generator.normal(size=40)
    level = np.where(classes >= 0, of_class[classes], 0).sum(axis=1) / ways
    values = 1 / ways + level + 0.02 * generator.normal(size=len(ways))
    low, high = over_test_classes(values, classes, names(40)).ends
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=1e-12)
    # Known from how values are made: a class moves the mean by the share of its ways.
    share = np.mean(1 / ways) * np.mean(ways)
    expected = student_t(39) * np.std(of_class, ddof=1) * share / math.sqrt(40)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.15)


def test_episodes_of_few_ways_do_not_stand_for_those_of_many():
    # Values depend on the ways alone: no class has any part in them.
    generator = np.random.default_rng(5)
    classes = np.full((3000, 8), -1)
    for row in classes:
        ways = generator.integers(2, 9)
        row[:ways] = generator.choice(10, ways, replace=False)
    values = 1 / np.sum(classes >= 0, axis=1)
    found = over_test_classes(values, classes, names(10))
    assert found.ends is None and "below what 3,000 episodes" in found.reason


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (itertools.repeat(range(5), 40), "every episode holds 'class000'"),
        ([[0, 1 + n % 9] for n in range(40)], "every episode holds 'class000'"),
        (
            [
                [0, 1, 2, 3] if n % 2 else [n // 2 % 4, (n // 2 + 1) % 4, -1, -1]
                for n in range(40)
            ],
            "every episode of 4 ways holds 'class000'",
        ),
    ],
)
def test_a_class_that_cannot_be_left_out_is_named(classes, said):
    rows = [[*row] for row, _ in zip(classes, range(40), strict=False)]
    values = np.random.default_rng(0).random(40)
    found = over_test_classes(values, np.array(rows), names(10))
    assert found.ends is None and said in found.reason
    assert found.text() == "–" and found.line() == f"none: {found.reason}"


@pytest.mark.parametrize("value", [1.0, 0.7, 0.0])
def test_episodes_that_are_all_alike_give_no_width(value):
    _, classes = drawn(0)
    found = over_test_classes(np.full(80, value), classes, names(12))
    assert found.ends is None and "all episodes give the same" in found.reason


def test_what_is_lost_in_the_luck_of_drawing_is_said_in_words():
    lost = []
    for seed in range(40):
        values, classes = drawn(seed, spread=0.0)
        found = over_test_classes(values, classes, names(12), bounds=(-9, 9))
        _, of_classes, _ = by_hand(values.tolist(), classes.tolist(), 12)
        assert (found.ends is None) == (of_classes <= 0)
        if found.ends is None:
            assert "below what 80 episodes can show" in found.reason
            lost.append(seed)
    assert 10 < len(lost) < 30


def test_an_interval_is_never_narrower_than_that_over_episode_draws():
    for seed in range(30):
        values, classes = drawn(seed, spread=0.05)
        found = over_test_classes(values, classes, names(12), bounds=(-9, 9))
        if found.ends is not None:
            reach = 1.96 * values.std(ddof=1) / math.sqrt(80)
            assert found.ends[1] - found.ends[0] > 2 * reach


def test_rotations_are_one_class():
    values, classes = drawn(7)
    turned = classes * 4 + np.random.default_rng(1).integers(4, size=classes.shape)
    clusters = [name for name in names(12) for _ in range(4)]
    folded = over_test_classes(values, turned, clusters)
    assert folded == over_test_classes(values, classes, names(12))
    assert folded.clusters == 12
    apart = over_test_classes(values, turned, names(48))
    assert apart.clusters == 48


def test_classes_that_never_occur_apart_are_one():
    # Seven assays of two classes each, one assay an episode.
    generator = np.random.default_rng(8)
    assay = generator.integers(7, size=300)
    values = generator.normal(size=7)[assay] * 0.1 + generator.random(300) * 0.1
    pairs = np.stack([2 * assay, 2 * assay + 1], axis=1)
    found = over_test_classes(values, pairs, names(14), bounds=(-9, 9))
    single = over_test_classes(values, assay[:, None], names(7), bounds=(-9, 9))
    assert found.clusters == 7
    assert found.ends == pytest.approx(single.ends, rel=1e-12)


def test_one_class_an_episode_is_the_usual_standard_error_of_class_means():
    generator = np.random.default_rng(9)
    assay = np.repeat(np.arange(10), 6)
    values = generator.normal(size=10)[assay] + generator.normal(size=60)
    found = over_test_classes(values, assay[:, None], names(10), bounds=(-9, 9))
    means = values.reshape(10, 6).mean(axis=1)
    reach = student_t(9) * means.std(ddof=1) / math.sqrt(10)
    assert found.ends == pytest.approx(
        (values.mean() - reach, values.mean() + reach), rel=1e-9
    )


@given(st.randoms(use_true_random=False), st.integers(0, 50))
def test_order_and_names_change_nothing(shuffler, seed):
    values, classes = drawn(seed)
    expected = over_test_classes(values, classes, names(12), bounds=(-9, 9))
    order, renamed = list(range(80)), list(range(12))
    shuffler.shuffle(order)
    shuffler.shuffle(renamed)
    rows = np.array(renamed)[classes[order]]
    padded = np.concatenate([rows, np.full((80, 2), -1)], axis=1)
    found = over_test_classes(values[order], padded, names(12), bounds=(-9, 9))
    assert (found.ends is None) == (expected.ends is None)
    if found.ends is not None:
        assert found.ends == pytest.approx(expected.ends, rel=1e-9)


def test_ends_stay_within_their_bounds():
    values, classes = drawn(2)
    low, high = over_test_classes(values, classes, names(12), bounds=(-9, 9)).ends
    cut = over_test_classes(
        values, classes, names(12), bounds=(low + 0.01, high - 0.01)
    )
    assert cut.ends == (low + 0.01, high - 0.01)
    shares = values - values.mean() + 0.99
    assert over_test_classes(shares, classes, names(12)).ends[1] == 1.0


def test_without_classes_there_is_no_interval_but_a_reason():
    found = over_test_classes(np.array([0.5, 0.7]), None, ["a"])
    assert found.ends is None and "evaluate again" in found.reason


def test_the_two_ends_of_a_former_version_are_not_read_as_an_interval():
    found = ClassInterval.from_json([0.93, 0.95])
    assert found.ends is None and "evaluate again" in found.reason
    for interval in (found, ClassInterval((0.25, 0.5), 20)):
        assert ClassInterval.from_json(interval.to_json()) == interval


def test_only_an_interval_excludes():
    interval = ClassInterval((0.1, 0.2), 20)
    assert [interval.excludes(x) for x in (0.0, 0.1, 0.15, 0.3)] == [
        *(True, False, False, True)
    ]
    assert not ClassInterval(None, 20, "none").excludes(0.0)
    assert interval.text() == "10.00 to 20.00"
    assert interval.line("{:.3f}", scale=1) == (
        "0.100 to 0.200  (jackknife over 20 classes with their examples)"
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    values, classes = drawn(0)
    values[3] = bad
    with pytest.raises(ValueError, match="`values` must be finite. Received: 1 of 80"):
        over_test_classes(values, classes, names(12))
    with pytest.raises(ValueError, match=r"`classes`.*\(79, 3\) for 80 episodes"):
        over_test_classes(np.ones(80), classes[1:], names(12))
