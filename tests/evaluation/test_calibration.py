import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from tfmeta.evaluation import Reliability

COUNTS = st.integers(1, 60)


def by_hand(probability, correct, bins):
    """The definition of Guo et al. (2017), bin by bin."""
    error = 0.0
    for i in range(bins):
        inside = (probability > i / bins) & (probability <= (i + 1) / bins)
        if i == 0:
            inside |= probability == 0
        if inside.any():
            gap = abs(correct[inside].mean() - probability[inside].mean())
            error += inside.mean() * gap
    return error


@hypothesis.given(
    st.data(), COUNTS, st.sampled_from([1, 2, 10, 15]), st.integers(0, 10**6)
)
def test_against_the_definition(data, answers, bins, seed):
    # Multiples of 1/97 lie on no edge but 0 and 1, where rounding would decide.
    number = data.draw(arrays(np.int64, answers, elements=st.integers(0, 97)))
    correct = np.random.default_rng(seed).random(answers) < 0.6
    found = Reliability.of(number / 97, correct, bins=bins)
    assert found.count.sum() == answers
    assert found.correct.sum() == correct.sum()
    assert found.probability.sum() == pytest.approx(number.sum() / 97)
    assert found.expected_calibration_error == pytest.approx(
        by_hand(number / 97, correct, bins)
    )


def test_edges_belong_to_the_bin_below():
    found = Reliability.of(
        np.array([0.0, 0.25, 0.5, 0.500001, 1.0]), np.ones(5), bins=4
    )
    np.testing.assert_array_equal(found.count, [2, 1, 1, 1])
    # A softmax in float32 may be a little more than 1.
    assert Reliability.of(np.array([1.0000001]), np.ones(1)).count[14] == 1


def test_perfect_and_worst_answers():
    generator = np.random.default_rng(0)
    probability = generator.uniform(0.2, 1, 200_000)
    honest = generator.random(200_000) < probability
    assert Reliability.of(probability, honest).expected_calibration_error < 0.01
    boasting = Reliability.of(np.ones(10), np.zeros(10))
    assert boasting.expected_calibration_error == 1


def test_parts_add_up_and_come_back_from_json():
    generator = np.random.default_rng(1)
    probability, correct = generator.random(50), generator.random(50) < 0.5
    whole = Reliability.of(probability, correct)
    halves = Reliability.of(probability[:20], correct[:20]) + Reliability.of(
        probability[20:], correct[20:]
    )
    again = Reliability.from_json(json.loads(json.dumps(whole.to_json())))
    for other in (halves, again):
        for name, values in vars(whole).items():
            np.testing.assert_allclose(getattr(other, name), values, rtol=1e-12)
            assert getattr(other, name).dtype == values.dtype


def test_a_weight_is_so_many_answers():
    generator = np.random.default_rng(2)
    probability, correct = generator.random(30), generator.random(30) < 0.5
    weight = generator.integers(1, 4, 30)
    weighted = Reliability.of(probability, correct, weight=weight)
    repeated = Reliability.of(
        np.repeat(probability, weight), np.repeat(correct, weight)
    )
    for name, values in vars(repeated).items():
        np.testing.assert_allclose(getattr(weighted, name), values, rtol=1e-12)
