import hypothesis
import hypothesis.strategies as st
import numpy as np
import sklearn.metrics

from tfmeta.evaluation import Confusion

ANSWERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60)


@hypothesis.given(ANSWERS, st.integers(0, 60))
def test_against_scikit_learn(answers, cut):
    true, answered = np.array(answers, int).reshape(-1, 2).T
    parts = [
        Confusion.of(true[part], answered[part])
        for part in (slice(None, cut), slice(cut, None))
    ]
    found = Confusion.sum(parts)
    expected = np.zeros((7, 7), int)
    if answers:
        expected = sklearn.metrics.confusion_matrix(true, answered, labels=range(7))
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(found.among(range(7)), expected)
    np.testing.assert_array_equal(found.among([5, 2]), expected[[5, 2]][:, [5, 2]])
    assert found.total == expected.sum() == (true != answered).sum()
    assert len(found.count) == (expected > 0).sum()
    assert {
        (t, p, n) for t, row in found.by_true_class().items() for p, n in row.items()
    } == {(t, p, expected[t, p]) for t, p in zip(*expected.nonzero(), strict=True)}
    most = found.most_confused(3)
    assert [n for *_, n in most] == sorted(expected[expected > 0], reverse=True)[:3]
    assert all(expected[t, p] == n for t, p, n in most)


def test_no_wrong_answers_are_no_confusion():
    for none in (Confusion.sum([]), Confusion.of(np.arange(5), np.arange(5))):
        assert none.total == 0
        assert none.most_confused(3) == []
        assert none.by_true_class() == {}
        assert not none.among([1, 2]).any()
