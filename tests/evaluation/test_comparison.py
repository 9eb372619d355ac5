import dataclasses
import math

import numpy as np
import pytest
from made_results import made_result

from tfmeta.evaluation import (
    ClassInterval,
    PairedComparison,
    compare,
    over_test_classes,
)

# Each rotation of one character, and the other two classes, in turn.
CLASSES = [[0, 2], [1, 2], [0, 3], [2, 3], [1, 3], [2, 3]]


def test_by_hand():
    first = made_result([0.5, 0.75, 1.0, 0.25, 0.5, 1 / 3], classes=CLASSES)
    second = made_result([0.25, 0.75, 0.5, 0.25, 0.0, 1 / 3], classes=CLASSES)
    found = compare(first, second)
    differences = [0.25, 0.0, 0.5, 0.0, 0.5, 0.0]
    mean = sum(differences) / 6
    variance = sum((d - mean) ** 2 for d in differences) / 5
    assert found.difference == pytest.approx(mean, abs=1e-12)
    assert found.half_width == pytest.approx(1.96 * math.sqrt(variance / 6), abs=1e-12)
    # Without "a", "b" and "ç": two of six are left each time.
    left = [(0.0 + 0.0) / 2, (0.5 + 0.5) / 2, (0.25 + 0.0) / 2]
    centre = sum(left) / 3
    # Each class is in four of the six episodes.
    luck = 3 * variance * 4 / (6 * 2)
    of_classes = sum((x - centre) ** 2 for x in left) - luck
    assert found.episodes == 6
    # Student's t of two degrees of freedom, from a printed table.
    reach = 4.302653 * math.sqrt(2 / 3 * of_classes + variance / 6)
    low, high = found.over_test_classes.ends
    assert low == pytest.approx(mean - reach, abs=1e-6)
    assert high == pytest.approx(min(mean + reach, 1.0), abs=1e-6)
    assert found.better is None
    turned = compare(second, first)
    assert turned.difference == -found.difference
    assert "+20.83" in str(found)
    assert "6 identical episodes" in str(found)
    assert f"{100 * low:+.2f} to {100 * high:+.2f}  (jackknife over 3" in str(found)


def many_episodes(seed):
    """Differences of 600 episodes that classes move, around 0.05, and the classes."""
    generator = np.random.default_rng(seed)
    classes = np.array([generator.choice(20, 2, replace=False) for _ in range(600)])
    of_class = 0.05 + 0.02 * generator.normal(size=20)
    return of_class[classes].mean(axis=1) + 0.05 * generator.normal(size=600), classes


def of_twenty(accuracies, classes):
    names = tuple(f"class{number}" for number in range(20))
    named = {"class_names": names, "class_clusters": names}
    return made_result(accuracies, classes=classes, named=named)


def test_the_interval_is_that_of_the_differences_of_the_episodes():
    differences, classes = many_episodes(0)
    of_class = np.random.default_rng(1).uniform(0.2, 0.9, 20)
    hardness = of_class[classes].mean(axis=1)
    first = of_twenty(hardness + differences, classes)
    second = of_twenty(hardness, classes)
    found = compare(first, second)
    expected = over_test_classes(
        differences, classes, first.class_names, bounds=(-1.0, 1.0)
    )
    assert found.over_test_classes.ends == pytest.approx(expected.ends, abs=1e-12)
    low, high = found.over_test_classes.ends
    assert (low + high) / 2 == pytest.approx(found.difference, abs=1e-12)
    assert found.better == "first"
    assert f"{100 * low:+.2f} to {100 * high:+.2f}" in str(found)
    turned = compare(second, first)
    assert turned.over_test_classes.ends == pytest.approx((-high, -low), abs=1e-12)
    # What both share cancels: the separate intervals overlap.
    assert first.over_test_classes.ends[0] < second.over_test_classes.ends[1]


def test_the_classes_of_either_result_are_enough():
    differences, classes = many_episodes(0)
    first, second = of_twenty(differences, classes), of_twenty(np.zeros(600), classes)
    without = dataclasses.replace(second, episode_classes=None)
    expected = compare(first, second).over_test_classes
    assert compare(first, without).over_test_classes == expected
    lacking = compare(dataclasses.replace(first, episode_classes=None), without)
    assert lacking.over_test_classes.ends is None and lacking.better is None
    assert "evaluate again" in str(lacking)


def comparison(difference, half_width, *ends):
    interval = ClassInterval(ends or None, 20, None if ends else "none")
    return PairedComparison(difference, half_width, interval, 600)


@pytest.mark.parametrize(
    ("found", "better"),
    [
        (comparison(0.02, 0.01, 0.005, 0.03), "first"),
        (comparison(-0.02, 0.01, -0.03, -0.005), "second"),
        (comparison(0.02, 0.01, -0.005, 0.03), None),
        (comparison(0.02, 0.03, 0.005, 0.03), None),
        (comparison(-0.02, 0.03, -0.03, -0.01), None),
        (comparison(0.0, 0.0, 0.0, 0.0), None),
        (comparison(0.02, 0.01), None),
    ],
)
def test_better_only_where_both_intervals_exclude_0(found, better):
    assert found.better == better


@pytest.mark.parametrize(
    ("name", "value"),
    [("table", "other"), ("ways", 20), ("shots", [1, 4]), ("seed", 8)]
    + [("query_dirichlet", 2.0)],
)
def test_other_protocols_do_not_compare(name, value):
    result = made_result([0.5, 0.75])
    other = made_result([0.5, 0.75], **{name: value})
    for pair in ((result, other), (other, result)):
        with pytest.raises(ValueError, match=f"`{name}` must agree"):
            compare(*pair)
