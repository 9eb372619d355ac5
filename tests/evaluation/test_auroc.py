import math

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics

from tfmeta.evaluation.auroc import auroc


def by_pairs(scores, positive):
    """The share of pairs in the right order, ties one half, in plain loops."""
    wins = [
        (one > other) + 0.5 * (one == other)
        for one in scores[positive]
        for other in scores[~positive]
    ]
    return sum(wins) / len(wins)


@st.composite
def binary_tasks(draw):
    """Scores with many ties, and queries of both kinds in every task."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 12)))
    coarse = st.integers(-2, 2).map(float) | st.sampled_from([math.inf, -math.inf])
    fine = st.floats(-1e6, 1e6, width=32)
    scores = draw(
        hnp.arrays(np.float64, shape, elements=draw(st.sampled_from([coarse, fine])))
    )
    positive = draw(hnp.arrays(bool, shape))
    for row in positive:
        row[draw(st.permutations(range(shape[1])))[:2]] = [True, False]
    return scores, positive


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(binary_tasks())
def test_it_is_the_share_of_pairs_in_order(task):
    scores, positive = task
    found = auroc(scores, positive)
    assert found.dtype == np.float64
    expected = [by_pairs(*pair) for pair in zip(scores, positive, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(binary_tasks())
def test_scikit_learn_agrees(task):
    scores, positive = task
    # It refuses infinite scores, which have an order all the same.
    finite = np.nan_to_num(scores, posinf=1e9, neginf=-1e9)
    expected = [
        sklearn.metrics.roc_auc_score(*pair)
        for pair in zip(positive, finite, strict=True)
    ]
    np.testing.assert_allclose(auroc(scores, positive), expected, atol=1e-12)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(binary_tasks(), st.integers(0, 2**32 - 1))
def test_either_way_may_be_called_positive(task, seed):
    # Logits whose difference are the scores, as far as rounding lets them.
    scores, positive = task
    first = np.random.default_rng(seed).normal(size=scores.shape)
    second = first + np.nan_to_num(scores, posinf=1e9, neginf=-1e9)
    np.testing.assert_array_equal(
        auroc(second - first, positive), auroc(first - second, ~positive)
    )


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(binary_tasks())
def test_only_the_order_matters(task):
    scores, positive = task
    _, places = np.unique(scores, return_inverse=True)
    monotone = np.exp(places.reshape(scores.shape) / 10)
    np.testing.assert_array_equal(auroc(monotone, positive), auroc(scores, positive))
    # Exchanging the classes alone turns the figure round.
    np.testing.assert_allclose(
        auroc(scores, ~positive), 1 - auroc(scores, positive), atol=1e-12
    )


def test_its_ends_and_chance():
    y = np.array([[0, 0, 1, 1]] * 3) == 1
    scores = [[1, 2, 3, 4], [4, 3, 2, 1], [7, 7, 7, 7]]
    assert auroc(np.array(scores, float), y).tolist() == [1.0, 0.0, 0.5]
    rng = np.random.default_rng(0)
    figures = auroc(
        rng.normal(size=(4000, 30)),
        np.arange(30) % 2 == rng.integers(2, size=(4000, 1)),
    )
    # Of Mann and Whitney's statistic the variance is (m + n + 1) / (12 m n).
    deviation = math.sqrt(31 / (12 * 15 * 15))
    assert abs(figures.mean() - 0.5) < 4 * deviation / math.sqrt(4000)
    assert figures.std() == pytest.approx(deviation, rel=0.05)


def test_many_queries_take_little_memory():
    # Pairs of 200,000 queries would be 10 ** 10.
    rng = np.random.default_rng(0)
    positive = rng.random((1, 200_000)) < 0.3
    scores = rng.normal(size=positive.shape) + positive
    expected = 0.5 * math.erfc(-0.5)  # Φ(1 / √2)
    assert auroc(scores, positive)[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        ([[1.0, 2.0]], [[True]], r"one shape.*\(1, 2\) and \(1, 1\)"),
        ([1.0, 2.0], [True, False], r"\(tasks, queries\).*\(2,\)"),
        ([[1.0, math.nan]], [[True, False]], "must be numbers.* 1 of 2 that"),
        ([[1.0, 2.0]], [[True, True]], "2 positive and 0 negative"),
        ([[1.0, 2.0], [1.0, 2.0]], [[True, False], [False, False]], "0 positive and 2"),
    ],
)
def test_what_has_no_figure_is_named(scores, positive, message):
    with pytest.raises(ValueError, match=message):
        auroc(np.array(scores), np.array(positive))
