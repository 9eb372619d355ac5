import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.episodes import as_supervised


def coded(sizes, shape=(2,)):
    """A table in which every example holds its own row."""
    rows = np.arange(sum(sizes)).reshape(-1, *(1 for _ in shape))
    return ClassTable(
        name="coded",
        examples=np.broadcast_to(rows, (sum(sizes), *shape)).astype(np.int64),
        offsets=np.cumsum([0, *sizes]),
        class_names=tuple(f"c{i}" for i in range(len(sizes))),
    )


def rows_of(dataset):
    return [x[:, 0].tolist() for x, _ in dataset.as_numpy_iterator()]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(1, 3),
    st.booleans(),
)
def test_every_epoch_has_every_example_once_with_its_class(sizes, batch, epochs, drop):
    table = coded(sizes)
    if drop and batch > table.num_examples:
        with pytest.raises(ValueError, match="`batch_size`"):
            as_supervised(table, batch_size=batch, drop_remainder=drop)
        return
    dataset = as_supervised(
        table, batch_size=batch, seed=3, epochs=epochs, drop_remainder=drop
    )
    batches = list(dataset.as_numpy_iterator())
    assert len(batches) == len(dataset)
    per_epoch = len(batches) // epochs
    for epoch in range(epochs):
        part = batches[epoch * per_epoch : (epoch + 1) * per_epoch]
        x = np.concatenate([x[:, 0] for x, _ in part])
        y = np.concatenate([y for _, y in part])
        expected = np.repeat(np.arange(len(sizes)), sizes)
        np.testing.assert_array_equal(y, expected[x])
        assert y.dtype == np.int32
        assert len(set(x)) == len(x)
        assert len(x) == (len(expected) // batch * batch if drop else len(expected))


def test_without_a_seed_in_the_order_of_the_table():
    assert rows_of(as_supervised(coded([2, 3]), batch_size=2)) == [[0, 1], [2, 3], [4]]


def test_the_order_is_a_function_of_seed_and_epoch():
    table = coded([50, 50])

    def orders(seed):
        dataset = as_supervised(table, batch_size=100, seed=seed, epochs=3)
        return [tuple(rows) for rows in rows_of(dataset)]

    first = orders(0)
    assert first == orders(0)
    # Neighbouring seeds and epochs share nothing.
    assert len({*first, *orders(1), *orders(2)}) == 9
    endless = as_supervised(table, batch_size=100, seed=0, epochs=None)
    assert [tuple(r) for r in rows_of(endless.take(3))] == first
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("start", range(6))
def test_starting_later_is_the_rest(start):
    table = coded([4, 3])
    whole = rows_of(as_supervised(table, batch_size=3, seed=5, epochs=2))
    rest = as_supervised(table, batch_size=3, seed=5, epochs=2, start=start)
    assert rows_of(rest) == whole[start:]
    assert len(rest) == 6 - start


def test_all_orders_are_equally_likely():
    dataset = as_supervised(coded([4]), batch_size=4, seed=1, epochs=4800)
    orders = [tuple(rows) for rows in rows_of(dataset)]
    counts = [orders.count(order) for order in itertools.permutations(range(4))]
    # Chi-squared with 23 degrees of freedom: above 49.7 once in a thousand.
    assert sum((n - 200) ** 2 / 200 for n in counts) < 49.7


def test_neighbours_in_the_table_do_not_stay_neighbours():
    # What too small a buffer would show: early examples early in the epoch.
    dataset = as_supervised(coded([5000]), batch_size=5000, seed=1, epochs=4)
    for order in rows_of(dataset):
        correlation = np.corrcoef(order, np.arange(5000))[0, 1]
        assert abs(correlation) < 0.06  # four standard deviations


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64", "bool", "int32"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 2), (2, 2, 1)])
def test_shape_and_dtype_stay(dtype, shape):
    examples = np.zeros((4, *shape), dtype)
    table = ClassTable("toy", examples, np.array([0, 4]), ("a",))
    x, y = as_supervised(table, batch_size=4).element_spec
    assert (x.shape, x.dtype) == ((None, *shape), tf.as_dtype(dtype))
    assert (y.shape, y.dtype) == ((None,), tf.int32)


def test_tables_on_disk(tmp_path):
    rows = np.arange(12, dtype=np.int64)[:, None]
    np.save(tmp_path / "x.npy", rows)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    names, offsets = ("a", "b"), np.array([0, 5, 12])
    in_memory = ClassTable("toy", rows, offsets, names)
    for examples, offsets_ in (
        (mapped, offsets),
        (SelectedExamples(mapped, np.arange(12)), offsets),
    ):
        table = ClassTable("toy", examples, offsets_, names)
        for seed in (None, 0):
            arguments = {"batch_size": 5, "seed": seed, "epochs": 2}
            assert rows_of(as_supervised(table, **arguments)) == rows_of(
                as_supervised(in_memory, **arguments)
            )


def test_text():
    table = ClassTable.from_arrays(
        "toy", np.array(["où", "là", "ça"], object), ["b", "a", "b"]
    )
    ((x, y),) = as_supervised(table).as_numpy_iterator()
    assert [t.decode() for t in x] == ["là", "où", "ça"]
    assert y.tolist() == [0, 1, 1]


def streamed(table, **arguments):
    """The stream that each batch is augmented with, and the rows of the batch."""

    def augment(examples, stream):
        return tf.concat([examples[:, :1], tf.zeros_like(examples) + stream], axis=1)

    batches = as_supervised(table, augment=augment, **arguments).as_numpy_iterator()
    return [(tuple(x[0, 1:]), x[:, 0].tolist()) for x, _ in batches]


def test_every_batch_is_augmented_from_a_stream_of_its_own():
    table = coded([4, 3])
    arguments = {"batch_size": 3, "epochs": 40}
    batches = streamed(table, seed=5, **arguments)
    assert batches == streamed(table, seed=5, **arguments)
    assert [r for _, r in batches] == rows_of(as_supervised(table, seed=5, **arguments))
    streams = {stream for stream, _ in batches}
    others = {stream for stream, _ in streamed(table, seed=6, **arguments)}
    assert len(streams) == len(others) == 120
    assert not streams & others


@pytest.mark.parametrize("start", [1, 3, 5])
def test_starting_later_augments_as_before(start):
    table = coded([4, 3])
    arguments = {"batch_size": 3, "seed": 5, "epochs": 2}
    assert (
        streamed(table, start=start, **arguments)
        == streamed(table, **arguments)[start:]
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "`batch_size`.*at least 1"),
        ({"batch_size": 2.5}, TypeError, "`batch_size`.*integer"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"seed": True}, ValueError, "`seed`"),
        ({"epochs": 0}, ValueError, "`epochs`"),
        ({"start": -1}, ValueError, "`start`"),
        ({"start": 4, "batch_size": 2}, ValueError, "below the number of batches, 4"),
        ({"batch_size": 9, "drop_remainder": True}, ValueError, "at most.*7"),
        ({"augment": lambda x, stream: x}, ValueError, "`seed` must be an int.*None"),
    ],
)
def test_mistakes_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        as_supervised(coded([3, 4]), **arguments)
