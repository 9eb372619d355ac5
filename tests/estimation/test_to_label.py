"""Which examples are worth a label: structure that is known, and real sentences."""

import numpy as np
import pytest

from tfmeta.datasets import load
from tfmeta.datasets.registry import import_dataset
from tfmeta.estimation import expect, to_label
from tfmeta.estimation.to_label import cover_of, label_next, notes_on_gain, worth

WAYS = 4


@pytest.fixture(scope="module")
def clusters():
    """Centres of clusters, and eight points about each."""
    rng = np.random.default_rng(0)
    centres = 3.0 * np.eye(WAYS, 8)
    points = centres[:, None] + 0.3 * rng.normal(size=(WAYS, 8, 8))
    return centres.astype(np.float32), points.reshape(-1, 8).astype(np.float32)


def ask(features, labels, unlabelled, head="simple_shot", **arguments):
    return label_next(
        np.asarray(features, np.float32),
        np.asarray(labels),
        np.asarray(unlabelled, np.float32),
        head=head,
        **arguments,
    )


def rows_of(found):
    return [one.row for one in found]


@pytest.mark.parametrize("head", ["simple_shot", "logistic_regression"])
def test_clusters_without_a_label_come_first(clusters, head):
    centres, points = clusters
    found = ask(centres[:2], [0, 1], points, head, count=4)
    assert {row // 8 for row in rows_of(found[:2])} == {2, 3}
    assert all(0.0 < one.probability <= 1.0 for one in found)


def test_what_was_rejected_is_not_asked_for_again(clusters):
    centres, points = clusters
    found = ask(centres[:2], [0, 1], points, count=1)[0].row // 8
    other = ({2, 3} - {found}).pop()
    again = ask(centres[:2], [0, 1], points, count=1, rejected=centres[[found]])
    assert again[0].row // 8 == other


def test_of_equally_typical_ones_the_doubtful_come_first():
    # Two clusters at the same distances, one of which lies between the classes.
    features = np.eye(4)[:3]
    sure, between = [1.0, 0.0, 0.0, 0.8], [0.0, 0.7, 0.7, 0.8]
    rng = np.random.default_rng(1)
    pool = np.repeat([sure, between], 10, axis=0) + 0.02 * rng.normal(size=(20, 4))
    found = ask(features, [0, 1, 2], pool, count=2)
    assert found[0].row >= 10
    assert found[1].row < 10
    assert found[0].reason.endswith(("; 1 or 2", "; 2 or 1"))
    assert " or " not in found[1].reason


def test_the_order_of_the_pool_is_without_effect(clusters, monkeypatch):
    centres, points = clusters
    order = np.random.default_rng(2).permutation(len(points))
    for most in (to_label._SAMPLE, 20):
        monkeypatch.setattr(to_label, "_SAMPLE", most)
        found = ask(centres[:2], [0, 1], points, count=9)
        mixed = ask(centres[:2], [0, 1], points[order], count=9)
        assert rows_of(found) == [order[row] for row in rows_of(mixed)]
        for one, same in zip(found, mixed, strict=True):
            assert (one.answer, one.reason) == (same.answer, same.reason)
            assert one.probability == same.probability


def test_the_same_again(clusters):
    centres, points = clusters
    first, second = (ask(centres, range(WAYS), points) for _ in range(2))
    assert first == second
    assert len(set(rows_of(first))) == 10


def test_a_sample_is_of_the_seed(clusters, monkeypatch):
    monkeypatch.setattr(to_label, "_SAMPLE", 4)
    centres, points = clusters
    found = [set(rows_of(ask(centres[:2], [0, 1], points, seed=s))) for s in range(5)]
    assert all(len(rows) == 4 for rows in found)
    assert any(rows != found[0] for rows in found)


def test_copies_are_named_once_and_those_of_labelled_ones_never(clusters):
    centres, points = clusters
    pool = np.concatenate([points[:3], centres[:2], points[:3], 2 * points[:3]])
    found = rows_of(ask(centres[:2], [0, 1], pool))
    # A multiple is another content in the same direction.
    assert len(found) == 3
    assert sorted(row % 8 if row >= 8 else row % 5 for row in found) == [0, 1, 2]


@pytest.mark.parametrize("pool", [0, 1, 3])
def test_a_pool_that_is_smaller_than_asked_for(clusters, pool):
    centres, points = clusters
    found = ask(centres, range(WAYS), points[:pool])
    assert sorted(rows_of(found)) == list(range(pool))


def test_one_class_alone(clusters):
    centres, points = clusters
    found = ask(centres[:1], [0], points, count=3)
    assert {row // 8 for row in rows_of(found)} == {1, 2, 3}
    assert {(one.answer, one.probability) for one in found} == {("0", 1.0)}


def test_a_class_without_an_example_is_no_answer(clusters):
    centres, points = clusters
    found = ask(centres[:2], [0, 2], points)
    assert {one.answer for one in found} == {"0", "2"}


def test_names(clusters):
    centres, points = clusters
    names = [f"file {row}" for row in range(len(points))]
    found = ask(centres[:2], [0, 1], points, names=names, class_names=["cat", "dog"])
    assert [one.example for one in found] == [f"file {one.row}" for one in found]
    assert {one.answer for one in found} <= {"cat", "dog"}


def test_an_expectation_names_them(clusters):
    centres, points = clusters
    labelled = [row for row in range(len(points)) if row % 8 < 3 and row < 16]
    names = [f"file {row}" for row in range(16)]
    expected = expect(
        points[labelled],
        ["cat" if row < 8 else "dog" for row in labelled],
        head="simple_shot",
        unlabelled=points[16:],
        unlabelled_names=names,
    )
    found = ask(
        points[labelled],
        [row // 8 for row in labelled],
        points[16:],
        names=names,
        class_names=["cat", "dog"],
    )
    assert expected.to_label == found
    assert {one.row // 8 for one in found[:2]} == {0, 1}
    assert expected.notes[-1].startswith("With 2 labels of each class, ten chosen so")
    first = expected.to_json()["to_label"][0]
    assert (first["row"], first["answer"]) == (found[0].row, found[0].answer)


def test_what_is_said_of_the_gain(clusters):
    centres, points = clusters
    found = ask(centres, range(WAYS), points[:1])
    assert notes_on_gain(np.arange(WAYS), ()) == ()
    for shots, said in ((1, "1 label of"), (3, "2 labels of"), (5, "5 labels of")):
        (note,) = notes_on_gain(np.repeat(np.arange(WAYS), shots), found)
        assert f"With {said} each class, ten chosen so took" in note
    (note,) = notes_on_gain(np.repeat(np.arange(WAYS), 6), found)
    assert "With more than 5 labels of each class it was not measured" in note


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["features", "unlabelled", "rejected"])
def test_what_is_not_finite_is_refused(clusters, name, bad):
    centres, points = clusters
    given = {"features": centres, "unlabelled": points, "rejected": centres}
    given = {key: value.copy() for key, value in given.items()}
    given[name][0, 0] = bad
    with pytest.raises(ValueError, match=f"`{name}` must be finite. Received: 1 of"):
        ask(labels=range(WAYS), **given)


def test_what_does_not_fit_is_refused(clusters):
    centres, points = clusters
    with pytest.raises(ValueError, match="`labels` must have one .*: 2 for 4"):
        ask(centres, [0, 1], points)
    with pytest.raises(ValueError, match="`labels` must be of at least 1"):
        ask(centres[:0], [], points)
    with pytest.raises(ValueError, match="`names` must have one .*: 1 for 32"):
        ask(centres, range(WAYS), points, names=["one"])
    for name in ("unlabelled", "rejected"):
        with pytest.raises(ValueError, match=f"`{name}` must have 8 .*: 3"):
            given = {"unlabelled": points, name: points[:, :3]}
            ask(centres, range(WAYS), **given)
    with pytest.raises(ValueError, match=r"`count` must be from 1 to 1,000.*: 0"):
        ask(centres, range(WAYS), points, count=0)


def test_weights_fall_with_the_margin():
    probabilities = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.1, 0.7]])
    np.testing.assert_allclose(worth(probabilities), [1.0, 0.3, 1 - 0.7 * 0.5])
    np.testing.assert_array_equal(worth(np.ones((2, 1))), [1.0, 1.0])


def test_similarity_is_gaussian_with_the_median_distance():
    squares = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 4.0], [2.0, 4.0, 0.0]], np.float32)
    nearest = np.array([2.0, np.inf, 0.5], np.float32)
    cover = cover_of(squares, nearest, np.ones(3, np.float32))
    np.testing.assert_allclose(cover.covered, [np.exp(-1.0), 0.0, np.exp(-0.25)])
    expected = np.maximum(np.exp(-squares[0] / 2) - cover.covered, 0).sum()
    assert cover.gain(0) == pytest.approx(expected)


@pytest.mark.slow
def test_sentences_chosen_are_worth_more_than_those_at_random(reference_data, tmp_path):
    """Ten more of CLINC150's validation intents, one labelled of each before."""
    from tfmeta.encoders import pretrained
    from tfmeta.estimation.heads import head_on_features
    from tfmeta.estimation.refits import Refits, Split
    from tfmeta.features import features_of

    pytest.importorskip("wordllama")
    import_dataset("clinc150", reference_data / "text" / "clinc150", data_dir=tmp_path)
    table = load("clinc150", split="validation", data_dir=tmp_path)
    features = features_of(pretrained("wordllama"), table.examples)
    classes = np.repeat(np.arange(table.num_classes), table.class_sizes)
    splits, ways = [], 5
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = np.stack(
            [
                rng.permutation(np.flatnonzero(classes == number))[:71]
                for number in rng.permutation(table.num_classes)[:ways]
            ]
        )
        labelled, queries = rows[:, 0], rows[:, 1:21].reshape(-1)
        pool = rng.permutation(rows[:, 21:].reshape(-1))
        found = ask(features[labelled], range(ways), features[pool])
        for more in (pool[rows_of(found)], pool[:10]):
            splits.append(Split(np.concatenate([labelled, more]), queries))
    head = head_on_features("simple_shot", features.shape[1])
    refits = Refits(head, features, classes, table.num_classes)
    right = np.zeros(len(splits))
    for place, logits in refits.logits(splits):
        right[place] = (logits.argmax(axis=1) == classes[splits[place].test]).mean()
    gains = right[::2] - right[1::2]
    assert gains.mean() > 1.96 * gains.std(ddof=1) / np.sqrt(len(gains))
