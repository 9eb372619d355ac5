import numpy as np
import pytest
from made_expectation import make_expectation

from tfmeta.estimation import in_words
from tfmeta.estimation.choosing import Choice
from tfmeta.estimation.expectation import CurvePoint, Share


@pytest.mark.parametrize(
    ("share", "said"),
    [
        *((0.0, "0 %"), (0.001, "below 1 %"), (0.006, "1 %"), (0.914, "91 %")),
        *((0.9949, "99 %"), (0.999, "above 99 %"), (1.0, "100 %")),
    ],
)
def test_only_all_is_a_hundred_per_cent_and_only_nothing_none(share, said):
    assert in_words.percent(share) == said


def test_the_headline_says_how_good_of_what_from_what():
    expected = make_expectation(("a", "b"), accuracy=Share(0.914, 0.84, 0.953, 100))
    assert in_words.headline(expected) == (
        "Expect 91 % of new pictures right (84 to 95 %): 2 classes, learned from 3 "
        "examples each."
    )
    fewer = make_expectation(("a", "b"), labels=np.array([0, 0, 0, 1, 1, 1, 1]))
    assert in_words.headline(fewer).endswith("learned from 3 to 4 examples each.")
    arrays = make_expectation(("a", "b"), kind="arrays")
    assert "of new examples right" in in_words.headline(arrays)


def more(*points):
    """What is said of a curve of `(shots, accuracy, whether measured)`."""
    curve = tuple(CurvePoint(n, Share(v, 0.3, 0.97, 50), m) for n, v, m in points)
    return in_words.more_examples(make_expectation(("a", "b"), curve=curve))


@pytest.mark.parametrize(
    ("then", "verdict", "gain"),
    [
        *((0.80, "Hardly", "as good as what there is"), (0.81, "A little", "1 point ")),
        *((0.82, "A little", "2 points "), (0.86, "Yes", "6 points ")),
    ],
)
def test_whether_more_would_help_is_said_by_the_continuation(then, verdict, gain):
    said = more((1, 0.5, True), (10, 0.80, True), (20, then, False))
    assert said.startswith(f"{verdict}: 10 more of each class are expected to bring ")
    assert f"{100 * then:.0f} % (30 to 97 %)" in said
    assert gain in said


def test_without_a_continuation_nothing_is_promised():
    assert more((2, 0.5, True)) == (
        "It cannot be told of so few: that takes 3 examples of each class."
    )


def test_the_head_and_the_encoder_say_where_they_come_from():
    expected = make_expectation(("a", "b"))
    assert in_words.head(expected) == (
        "simple_shot, chosen among 2: most right answers"
    )
    given = make_expectation(
        ("a", "b"), choice=Choice("simple_shot", reason="as given")
    )
    assert in_words.head(given) == "simple_shot (as given)"
    assert "pre-trained on imagenet" in in_words.encoder(expected, "imagenet")
    assert "on these pictures" in in_words.encoder(expected)
    features = make_expectation(("a", "b"), kind="arrays", encoder=None)
    assert in_words.encoder(features).startswith("none, the examples are features")


def test_the_threshold_says_what_it_accepts_and_rejects():
    expected = make_expectation(("a", "b"))
    said = in_words.rejection(expected.rejection, expected)
    assert "the largest probability is below 0.43" in said
    assert "accepts 95 %" in said
    assert "rejects 75 %" in said
