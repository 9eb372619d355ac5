import math

import numpy as np
import pytest
from made_results import made_result

from tfmeta.evaluation import PairedComparison, compare, over_test_classes


def test_by_hand():
    first = made_result([0.5, 0.75, 1.0, 0.25, 0.5, 1 / 3])
    second = made_result([0.25, 0.75, 0.5, 0.25, 0.0, 1 / 3], correct=(5, 6, 20, 0))
    found = compare(first, second)
    differences = [0.25, 0.0, 0.5, 0.0, 0.5, 0.0]
    mean = sum(differences) / 6
    variance = sum((d - mean) ** 2 for d in differences) / 5
    assert found.difference == pytest.approx(mean, abs=1e-12)
    assert found.half_width == pytest.approx(1.96 * math.sqrt(variance / 6), abs=1e-12)
    assert (found.episodes, found.num_clusters) == (6, 2)
    # Two clusters: both drawn twice, or each once.
    assert found.over_test_classes == pytest.approx((0, 11 / 44))
    turned = compare(second, first)
    assert turned.difference == -found.difference
    assert turned.over_test_classes == pytest.approx((-11 / 44, 0))
    assert "+20.83" in str(found)
    assert "6 identical episodes" in str(found)
    assert "+0.00 to +25.00" in str(found)


def test_what_both_share_cancels():
    generator = np.random.default_rng(0)
    hardness = generator.uniform(0.2, 0.9, 600)
    first = made_result(
        hardness + generator.normal(0.03, 0.02, 600), correct=(10, 12, 30, 0)
    )
    second = made_result(hardness, correct=(9, 11, 28, 0))
    found = compare(first, second)
    # The separate intervals overlap, the paired one is far from 0.
    assert first.accuracy - second.accuracy < (
        first.over_episode_draws + second.over_episode_draws
    )
    assert found.difference > 10 * found.half_width
    # The same with classes.
    low, high = found.over_test_classes
    assert low > 0
    ours, theirs = (
        over_test_classes(r.class_correct, r.class_total, r.class_clusters)
        for r in (first, second)
    )
    assert theirs[1] > ours[0]


def comparison(difference, half_width, low, high):
    return PairedComparison(difference, half_width, (low, high), 600, 20)


@pytest.mark.parametrize(
    ("found", "better"),
    [
        (comparison(0.02, 0.01, 0.005, 0.03), "first"),
        (comparison(-0.02, 0.01, -0.03, -0.005), "second"),
        (comparison(0.02, 0.01, -0.005, 0.03), None),
        (comparison(0.02, 0.03, 0.005, 0.03), None),
        (comparison(-0.02, 0.03, -0.03, -0.01), None),
        (comparison(0.0, 0.0, 0.0, 0.0), None),
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
