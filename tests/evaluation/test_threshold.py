"""The threshold is the largest value with the recall, by exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.threshold import Threshold, largest_with_recall

RECALLS = [round(0.01 * i, 2) for i in range(1, 101)] + [0.95, 0.999, 1 / 3, 2 / 3]


def largest_by_trial(scores, recall):
    """Every score is tried; shares are fractions."""
    wanted = Fraction(repr(recall))
    good = [
        value
        for value in scores
        if Fraction(sum(s >= value for s in scores), len(scores)) >= wanted
    ]
    return max(good)


@pytest.mark.parametrize("count", [*range(1, 31), 50, 75, 100])
def test_largest_value_with_at_least_the_recall(count):
    scores = np.random.default_rng(count).permutation(count).astype(float)
    for recall in RECALLS:
        assert largest_with_recall(scores, recall) == largest_by_trial(scores, recall)


@pytest.mark.parametrize("seed", range(5))
def test_largest_value_among_ties(seed):
    scores = np.random.default_rng(seed).integers(0, 4, 20).astype(float)
    for recall in RECALLS:
        assert largest_with_recall(scores, recall) == largest_by_trial(scores, recall)


@pytest.mark.parametrize(("recall", "accepted"), [(0.8, 8), (0.9, 9), (0.7, 7)])
def test_tenths_are_not_rounded(recall, accepted):
    scores = np.arange(10.0)
    value = largest_with_recall(scores, recall)
    assert np.sum(scores >= value) == accepted


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="`scores` must be finite. Received: 1 of 3"):
        largest_with_recall(np.array([0.1, bad, 0.3]), 0.9)
    threshold = Threshold("logit", 0.5, 0.9, {}, {})
    with pytest.raises(ValueError, match="1 of 2 numbers"):
        threshold.accepts(np.array([1.0, bad]))


@pytest.mark.parametrize("recall", [0.0, -0.1, 1.1, np.nan])
def test_recall_out_of_range_is_refused(recall):
    with pytest.raises(ValueError, match="`recall` must be above 0"):
        largest_with_recall(np.arange(3.0), recall)
    with pytest.raises(ValueError, match="at least one"):
        largest_with_recall(np.zeros(0), 0.5)


@pytest.mark.parametrize("bins", [3, 7, 10, 15, 49, 100])
def test_an_edge_belongs_to_the_bin_below_it(bins):
    edges = np.array([i / bins for i in range(1, bins + 1)])
    found = Reliability.of(edges, np.ones(bins, bool), bins=bins)
    np.testing.assert_array_equal(found.count, np.ones(bins))
    above = Reliability.of(
        np.nextafter(edges[:-1], 1), np.ones(bins - 1, bool), bins=bins
    )
    np.testing.assert_array_equal(above.count, [0] + [1] * (bins - 1))
