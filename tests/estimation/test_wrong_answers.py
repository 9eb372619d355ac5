import numpy as np
from made_expectation import make_expectation

from tfmeta.estimation.wrong_answers import answered, wrong_answers


def test_the_surest_mistakes_come_first():
    expected = make_expectation(("a", "b", "c"), shots=2)
    probabilities = expected.probabilities
    probabilities[:] = [0.6, 0.3, 0.1]
    probabilities[4] = [0.0, 0.9, 0.1]
    probabilities[5] = np.nan
    found = wrong_answers(expected)
    assert [one.row for one in found] == [4, 2, 3]
    first = found[0]
    assert (first.label, first.answer) == ("c", "b")
    assert (first.probability, first.own_probability) == (
        np.float32(0.9),
        np.float32(0.1),
    )
    assert answered(expected).tolist() == [0, 0, 0, 0, 1, -1]


def test_right_answers_are_no_mistakes():
    expected = make_expectation(("a", "b"), shots=1)
    expected.probabilities[:] = np.eye(2)
    assert wrong_answers(expected) == []
