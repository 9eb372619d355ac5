import numpy as np
import sklearn.metrics
from PIL import Image

from tfmeta.classifying.checked_answers import CheckedAnswers

NAMES = ("cup", "a rather long name", "字")


def test_against_scikit_learn():
    generator = np.random.default_rng(0)
    labels, answers = generator.integers(0, 3, (2, 50))
    found = CheckedAnswers.of(labels, answers, NAMES, open_set=False)
    np.testing.assert_array_equal(
        found.counts, sklearn.metrics.confusion_matrix(labels, answers)
    )
    assert found.accuracy == sklearn.metrics.accuracy_score(labels, answers)
    np.testing.assert_allclose(
        found.recall, sklearn.metrics.recall_score(labels, answers, average=None)
    )


def test_it_can_be_read():
    found = CheckedAnswers.of(
        np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), NAMES, open_set=False
    )
    assert str(found).splitlines() == [
        "accuracy 50.0 % (2 of 4 pictures)",
        "  class                recall   right       taken for",
        "  cup                  33.3 %   1 of 3      a rather long name (2)",
        "  a rather long name  100.0 %   1 of 1",
    ]
    assert np.isnan(found.recall[2])


def test_none_of_these_is_a_class_of_its_own():
    labels, answers = np.array([0, 1, -1, -1]), np.array([0, -1, -1, 2])
    found = CheckedAnswers.of(labels, answers, NAMES, open_set=True)
    assert found.names[-1] == "none of these"
    np.testing.assert_array_equal(
        found.counts, [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 1]]
    )
    assert found.accuracy == 0.5
    np.testing.assert_array_equal(found.recall, [1, 0, np.nan, 0.5])


def test_it_is_drawn(tmp_path, recwarn):
    names = ("$x_", "字", "ب", "n" * 80)
    labels = np.arange(4)
    found = CheckedAnswers.of(labels, labels[::-1], names, open_set=False)
    found.draw(tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert picture.size[0] > 500
    assert [entry.name for entry in tmp_path.iterdir()] == ["confusion.png"]
    assert [str(w.message) for w in recwarn] == []
