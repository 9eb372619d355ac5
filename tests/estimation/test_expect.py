"""What is expected agrees with what is counted, and nonsense is refused in a line."""

import json

import numpy as np
import pytest

from tfmeta.estimation import expect
from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.in_words import more_examples

WAYS, FEATURES = 4, 16


def make_task(shots=10, spread=2.0, seed=0, features=FEATURES, ways=WAYS):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(ways), shots)
    centres = rng.normal(size=(ways, features))
    noise = spread * rng.normal(size=(len(labels), features))
    return (centres[labels] + noise).astype(np.float32), [f"c{y}" for y in labels]


@pytest.fixture(scope="module")
def expected():
    seen = []
    features, labels = make_task()
    found = expect(
        features,
        labels,
        head="simple_shot",
        on_progress=lambda *of: seen.append(of),
    )
    assert {what for what, *_ in seen} == {"leaving out", "fewer examples"}
    return found


def test_every_example_is_asked_by_the_others(expected):
    features, labels = make_task()
    numbers = np.array([int(label[1:]) for label in labels])
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    sums, hits = np.zeros((40, WAYS)), 0
    for split in stratified_folds(numbers, 5, seed=0, repeats=3):
        means = np.stack(
            [unit[split.train][numbers[split.train] == y].mean(0) for y in range(WAYS)]
        )
        squares = ((unit[split.test][:, None] - means) ** 2).sum(axis=2)
        hits += (squares.argmin(axis=1) == numbers[split.test]).sum()
        likely = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / 0.06)
        sums[split.test] += likely / likely.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(expected.probabilities, sums / 3, atol=1e-4)
    answers = (sums / 3).argmax(axis=1)
    assert np.trace(expected.confusion) == (answers == numbers).sum()
    # The curve adds what folds have not learned from.
    assert 0 <= expected.accuracy.value - hits / 120 < 0.05
    assert 0.3 < hits / 120 < 0.95


def test_parts_agree_with_each_other(expected):
    table = expected.confusion
    for label, one in enumerate(expected.classes):
        assert one.name == expected.class_names[label]
        assert one.recall.value == table[label, label] / table[label].sum()
    for pair in expected.confused:
        row, column = map(expected.class_names.index, (pair.truth, pair.answer))
        assert pair.count == table[row, column] > 0
    assert sum(pair.count for pair in expected.confused) == 40 - np.trace(table)
    assert [point.shots for point in expected.curve] == [1, 2, 5, 10, 20]
    assert expected.curve[-2].accuracy == expected.accuracy
    assert expected.rejection.threshold.protocol["ways"] == WAYS


def test_it_is_plain_json_and_the_same_again(expected):
    text = json.dumps(expected.to_json(), allow_nan=False)
    again = expect(*make_task(), head="simple_shot")
    assert json.dumps(again.to_json(), allow_nan=False) == text


def test_auto_names_the_head_and_those_that_it_tried():
    features, labels = make_task(shots=4)
    found = expect(features, labels)
    tried = {one.head: one.accuracy for one in found.choice.candidates}
    assert len(tried) > 1
    assert tried[found.choice.head] == max(tried.values())
    assert "in 4 folds" in found.choice.reason


def test_labels_are_any_names():
    features, labels = make_task()
    names = {"c0": "zebra", "c1": "ape", "c2": "Äffin", "c3": "m<b>"}
    found = expect(features, [names[one] for one in labels], head="simple_shot")
    assert found.class_names == tuple(sorted(names.values()))
    assert found.confusion.sum() == 40


def test_doubles_do_not_answer_for_each_other():
    # Labels by chance: by its copy alone an example is answered right.
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 64)).astype(np.float32)
    labels = [f"c{y}" for y in rng.integers(0, 4, 40)] * 2
    found = expect(np.concatenate([features] * 2), labels, head="simple_shot")
    assert found.accuracy.value < 0.5
    assert len(found.doubles) == 40 and all(one.equal for one in found.doubles)
    assert any("40 examples are there before" in note for note in found.notes)


def test_a_single_example_is_learned_and_never_asked():
    features, labels = make_task()
    keep = np.r_[0:31]
    found = expect(features[keep], [labels[i] for i in keep], head="simple_shot")
    assert found.classes[3].recall is None and found.classes[3].examples == 1
    assert np.isnan(found.probabilities[30]).all()
    assert found.confusion.sum() == 30
    assert any("'c3' has a single example" in note for note in found.notes)
    json.dumps(found.to_json(), allow_nan=False)


def test_two_examples_of_two_classes_are_enough():
    features, labels = make_task(shots=2, ways=2, spread=0.1)
    found = expect(features, labels, head="simple_shot")
    assert found.accuracy.count == 4 and found.rejection is None
    assert found.accuracy.high - found.accuracy.low > 0.4
    assert more_examples(found).startswith("It cannot be told of so few")
    assert any("No threshold" in note for note in found.notes)
    assert any("Guessing would be right in 50 %" in note for note in found.notes) == (
        found.accuracy.low <= 0.5
    )


def test_what_is_refused():
    features, labels = make_task(shots=3)
    copies = np.concatenate([features[:3], features[:3][::-1]])

    def refused(words, features=features, labels=labels, **more):
        with pytest.raises(ValueError, match=words) as error:
            expect(features, labels, head="simple_shot", **more)
        assert "\n" not in str(error.value)

    refused("`labels` must be of at least 2 classes.*'cat'", labels=["cat"] * 12)
    refused("at least 2 classes.*no examples", features=features[:0], labels=[])
    refused("at least 2 examples.*1 example of each of 12 classes", labels=range(12))
    refused(
        "Received: 'cats' and 'dogs' with the same examples",
        features=copies,
        labels=["cats"] * 3 + ["dogs"] * 3,
    )
    refused(
        "2 different examples",
        features=features[[0, 0, 5, 5]],
        labels=["cats"] * 2 + ["dogs"] * 2,
    )
    wrong = features.copy()
    wrong[1, 1] = np.inf
    refused("`features` must be finite", features=wrong)
    refused("`features` must be numbers that float32", features=np.full((12, 3), 1e200))
    refused("shape \\(examples, features\\)", features=features[:, :, None])
    refused("`labels` must have one for each", labels=labels[:5])
    refused("`examples` must have one for each", examples=["a"])
    refused("`digests` must have one for each", digests=np.zeros((3, 16), np.uint8))
    with pytest.raises(ValueError, match="`head` must be one of"):
        expect(features, labels, head="nearest")
    with pytest.raises(ValueError, match="`recall` must be above 0"):
        expect(*make_task(), head="simple_shot", recall=0.0)


def test_the_next_to_label_are_named():
    features, labels = make_task()
    further, _ = make_task(seed=1, shots=5)
    names = [f"new {row}" for row in range(20)]
    found = expect(
        features,
        labels,
        head="simple_shot",
        unlabelled=further,
        unlabelled_names=names,
    )
    assert len(found.to_label) == 10
    assert all(names[one.row] == one.example for one in found.to_label)
    assert {one.answer for one in found.to_label} <= set(found.class_names)
    with pytest.raises(ValueError, match="`unlabelled` must be finite"):
        expect(features, labels, unlabelled=np.full((1, FEATURES), np.nan))


def test_what_the_curve_adds_is_said():
    """And nothing is added to a handful of answers."""
    features, labels = make_task()
    found = expect(features, labels, head="simple_shot")
    said = [note for note in found.notes if "read off the curve" in note]
    assert len(said) == 1 and "left out" in said[0]
    few = [row for row in range(len(labels)) if row % 10 < 3]
    found = expect(features[few], [labels[row] for row in few], head="simple_shot")
    assert not [note for note in found.notes if "read off the curve" in note]
    assert all(point.measured for point in found.curve)


def test_arrays_are_doubles_where_they_are_equal():
    rng = np.random.default_rng(0)
    # Numbers that are all positive have much the same direction.
    features = 10 + rng.normal(size=(30, 40))
    labels = ["a", "b", "c"] * 10
    assert not expect(features, labels, head="simple_shot").doubles
    features[3] = features[0]
    (double,) = expect(features, labels, head="simple_shot").doubles
    assert double.rows == (0, 3) and double.equal
