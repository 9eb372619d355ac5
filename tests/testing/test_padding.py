"""Padding adds garbage behind what was there, and says that it is none."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.testing import pad_episode


def make_batch(dtype="float32", ways=3):
    rng = np.random.default_rng(0)
    examples = rng.integers(0, 200, size=(30, 4)).astype(dtype)
    table = ClassTable.from_arrays("toy", examples, [str(i // 6) for i in range(30)])
    return Episodes(table, ways=ways, shots=2, queries=2, tasks=3).batch(0)


def assert_begins_with(padded, part):
    box = tuple(slice(0, size) for size in part.shape)
    np.testing.assert_array_equal(padded[box], part)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("ways", [3, (2, 3)])
def test_every_part(dtype, ways):
    batch = make_batch(dtype, ways)
    inputs, y, *weight = batch
    padded, padded_y, padded_weight = pad_episode(batch, support=5, queries=1, ways=2)
    for name, part in inputs.items():
        assert padded[name].dtype == part.dtype
        assert_begins_with(padded[name].numpy(), part.numpy())
    assert padded["support"].shape == (3, 11, 4)
    assert padded["support_labels"].shape == (3, 11, 5)
    assert padded["query"].shape == (3, 7, 4)
    if dtype == "float32":
        assert np.isnan(padded["support"][:, 6:]).all()
        assert np.isnan(padded["query"][:, 6:]).all()
    else:
        assert (padded["support"][:, 6:].numpy() == 255).all()
        assert (padded["query"][:, 6:].numpy() == 255).all()
    # Real rows belong to no added way, padded rows claim every way.
    assert not padded["support_labels"][:, :6, 3:].numpy().any()
    claims = padded["support_labels"][:, 6:].numpy()
    np.testing.assert_array_equal(claims, np.tile(np.eye(5)[::-1], (3, 1, 1)))
    before = inputs.get("support_mask", tf.ones((3, 6), tf.bool)).numpy()
    np.testing.assert_array_equal(
        padded["support_mask"], np.pad(before, [(0, 0), (0, 5)])
    )
    real = inputs.get("query_mask", tf.ones((3, 6), tf.bool)).numpy()
    np.testing.assert_array_equal(padded["query_mask"], np.pad(real, [(0, 0), (0, 1)]))
    np.testing.assert_array_equal(padded_y, np.pad(y.numpy(), [(0, 0), (0, 1)]))
    assert padded_y.dtype == y.dtype
    np.testing.assert_array_equal(padded_weight, padded["query_mask"])


def test_nothing_is_added_unless_asked_for():
    batch = make_batch()
    inputs, y = pad_episode(batch)
    assert set(inputs) == {"support", "support_labels", "query"}
    inputs, y = pad_episode(batch, support=1)
    assert set(inputs) == {"support", "support_labels", "query", "support_mask"}
    inputs, y = pad_episode(batch, ways=1)
    assert inputs["support_labels"].shape == (3, 6, 4)
    assert set(inputs) == {"support", "support_labels", "query"}


def test_other_weights_and_inputs_are_kept():
    inputs, y = make_batch()
    inputs = {name: part.numpy() for name, part in inputs.items()}
    inputs["unlabelled"] = np.ones((3, 2, 4))
    weight = np.full((3, 6), 0.5, "float32")
    padded, _, padded_weight = pad_episode((inputs, y.numpy(), weight), queries=2)
    np.testing.assert_array_equal(padded["unlabelled"], inputs["unlabelled"])
    np.testing.assert_array_equal(padded_weight, np.pad(weight, [(0, 0), (0, 2)]))


@pytest.mark.parametrize("ways", [3, (2, 3)])
def test_unlabelled_rows(ways):
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(30, 4)).astype("float32")
    table = ClassTable.from_arrays("toy", examples, [str(i // 6) for i in range(30)])
    episodes = Episodes(table, ways=ways, queries=2, tasks=3, unlabelled=2)
    inputs, *rest = batch = episodes.batch(0)
    padded, *same = pad_episode(batch, unlabelled=3)
    assert padded["unlabelled"].shape == (3, 9, 4)
    assert_begins_with(padded["unlabelled"].numpy(), inputs["unlabelled"].numpy())
    assert np.isnan(padded["unlabelled"][:, 6:]).all()
    before = inputs.get("unlabelled_mask", tf.ones((3, 6), tf.bool)).numpy()
    np.testing.assert_array_equal(
        padded["unlabelled_mask"], np.pad(before, [(0, 0), (0, 3)])
    )
    for name in set(inputs) - {"unlabelled", "unlabelled_mask"}:
        np.testing.assert_array_equal(padded[name], inputs[name])
    for one, other in zip(same, rest, strict=True):
        np.testing.assert_array_equal(one, other)


def test_text():
    texts = np.array([f"text {i}" for i in range(30)], object)
    table = ClassTable.from_arrays("toy", texts, [str(i // 6) for i in range(30)])
    episodes = Episodes(table, ways=(2, 3), queries=2, tasks=3, unlabelled=1)
    batch = episodes.batch(0)
    padded, *_ = pad_episode(batch, support=2, queries=1, unlabelled=2)
    for part, added in (("support", 2), ("query", 1), ("unlabelled", 2)):
        before = batch[0][part].numpy()
        assert_begins_with(padded[part].numpy(), before)
        assert (padded[part].numpy()[:, -added:] == b"of padding").all()
        assert not padded[f"{part}_mask"].numpy()[:, -added:].any()
        # What the episodes pad themselves is no text at all.
        mask = batch[0][f"{part}_mask"].numpy()
        assert (before[~mask] == b"").all() and (before[mask] != b"").all()


def test_unlabelled_rows_are_added_only_to_such():
    with pytest.raises(ValueError, match="`unlabelled` must be 0 .*unlabelled=1"):
        pad_episode(make_batch(), unlabelled=1)


def test_inside_a_data_set():
    inputs, y = make_batch()
    data = tf.data.Dataset.from_tensors((inputs, y))
    data = data.map(lambda *batch: pad_episode(batch, support=2, queries=1, ways=1))
    padded, padded_y, weight = next(iter(data))
    expected = pad_episode((inputs, y), support=2, queries=1, ways=1)
    tf.nest.map_structure(
        np.testing.assert_array_equal, (padded, padded_y, weight), expected
    )


def test_regression_targets_are_padded_as_examples_are():
    inputs = {
        "support": np.zeros((2, 3, 1), "float32"),
        "support_labels": np.zeros((2, 3, 1), "float32"),
        "query": np.zeros((2, 4, 1), "float32"),
    }
    batch = (inputs, np.ones((2, 4, 1), "float32"))
    padded, y, weight = pad_episode(batch, support=1, queries=1)
    assert np.isnan(padded["support_labels"][:, 3:]).all()
    assert y.shape == (2, 5, 1) and not y[:, 4:].numpy().any()
    np.testing.assert_array_equal(weight, [[1, 1, 1, 1, 0]] * 2)
    with pytest.raises(ValueError, match="`ways` must be 0 for regression.*ways=1"):
        pad_episode(batch, ways=1)


@pytest.mark.parametrize("name", ["support", "queries", "ways", "unlabelled"])
def test_negative_numbers_are_refused(name):
    with pytest.raises(ValueError, match=f"at least 0. Received: .*{name}=-1"):
        pad_episode(make_batch(), **{name: -1})
