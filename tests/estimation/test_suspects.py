"""Examples whose label was changed are named, the others are not."""

import numpy as np
import pytest

from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import shared_head
from tfmeta.estimation.leaving_out import leave_out
from tfmeta.estimation.refits import Refits
from tfmeta.estimation.suspects import find_suspects

FEATURES = 16
NAMES = ("a", "b", "c", "d")
ROWS = tuple(map(str, range(40)))


def left_out(features, labels):
    refits = Refits(shared_head("simple_shot", FEATURES), features, labels, 4)
    splits = stratified_folds(labels, 5, seed=0)
    return leave_out(refits, splits, labels).probabilities(len(labels))


@pytest.mark.parametrize("seed", range(3))
def test_planted_mistakes_are_found(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(4), 10)
    centres = rng.normal(size=(4, FEATURES))
    features = (centres[truth] + 0.4 * rng.normal(size=(40, FEATURES))).astype(
        np.float32
    )
    labels = truth.copy()
    wrong = rng.choice(40, 3, replace=False)
    labels[wrong] = (truth[wrong] + 1) % 4
    found = find_suspects(left_out(features, labels), labels, NAMES, ROWS)
    assert {one.row for one in found} == set(wrong)
    for one in found:
        assert one.answer == NAMES[truth[one.row]]
        assert one.label == NAMES[labels[one.row]]
        assert one.own_probability < one.probability
        assert one.example == str(one.row)
    none = find_suspects(left_out(features, truth), truth, NAMES, ROWS)
    assert none == ()


def test_the_rule_by_hand():
    # Class averages of the own probability: 0.6, 0.57 and 0.35.
    probabilities = np.array(
        [
            [0.90, 0.05, 0.05],
            [0.30, 0.45, 0.25],  # b is below what is usual of b
            [0.20, 0.70, 0.10],
            [0.05, 0.90, 0.05],
            [0.85, 0.10, 0.05],  # a is above what is usual of a
            [np.nan] * 3,
            [0.10, 0.55, 0.35],  # b is, but not three times c
        ]
    )
    labels = np.array([0, 0, 1, 1, 1, 2, 2])
    usual = [0.6, (0.7 + 0.9 + 0.1) / 3, 0.35]
    assert usual[0] <= 0.85 and usual[1] > 0.45
    (found,) = find_suspects(probabilities, labels, "abc", list("0123456"))
    assert (found.row, found.label, found.answer) == (4, "b", "a")
    assert (found.own_probability, found.probability) == (0.10, 0.85)
