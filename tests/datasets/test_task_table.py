"""Rows of numbers grouped by task."""

import numpy as np
import pytest

from tfmeta.datasets.task_table import TaskTable


def make(**changes):
    given = {
        "features": np.arange(12.0).reshape(6, 2),
        "targets": np.arange(6.0),
        "tasks": ["b", "a", "b", "a", "c", "a"],
    }
    return TaskTable.from_arrays("toy", **{**given, **changes})


def test_rows_are_grouped_by_task_in_their_order():
    table = make(feature_names=["size", "rooms"], target_names=["price"])
    assert table.task_names == ("a", "b", "c")
    np.testing.assert_array_equal(table.task_sizes, [3, 2, 1])
    np.testing.assert_array_equal(table.targets[:, 0], [1, 3, 5, 0, 2, 4])
    np.testing.assert_array_equal(table.features[:, 0], 2 * table.targets[:, 0])
    assert table.origins == ("toy/a", "toy/b", "toy/c")
    assert (table.feature_names, table.target_names) == (("size", "rooms"), ("price",))
    assert (make().feature_names, make().target_names) == (("x0", "x1"), ("y0",))
    some = table.take_tasks([2, 0])
    assert some.task_names == ("c", "a") and some.num_rows == 4
    np.testing.assert_array_equal(some.targets[:, 0], [4, 1, 3, 5])


def test_standardized_rows_have_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 4)) * [1, 1e-6, 50, 0] + [0, 3, 1.7e9, 0.1]
    targets = rng.normal(size=(500, 2)) * [2e5, 1e-3]
    table = make(features=features, targets=targets, tasks=["a"] * 500)
    by = table.standardization()
    np.testing.assert_allclose(by.feature_mean, features.mean(axis=0))
    # The deviation of 500 times 0.1 is rounding, and must not be divided by.
    np.testing.assert_allclose(by.feature_scale[:3], features.std(axis=0)[:3])
    assert by.feature_scale[3] == 1
    found = table.standardized(by)
    assert found.features.dtype == found.targets.dtype == np.float32
    # Times in seconds keep their digits: float32 alone would hold them to 128 s.
    np.testing.assert_allclose(found.features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.features.std(axis=0), [1, 1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(found.targets.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ["a"]}, "must have a row each of the same. Received: 6, 6 and 1"),
        ({"targets": np.full(6, np.nan)}, "`targets` must be finite. Received: 6 of 6"),
        ({"features": np.full((6, 1), np.inf)}, "`features` must be finite"),
        ({"feature_names": ["size"]}, "a column for each of the names size"),
        ({"features": np.zeros((6, 0))}, "one or more. Received: shape"),
        ({"features": np.zeros(6)}, r"floats \(rows, columns\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_numbers_too_large_for_a_deviation_are_refused():
    table = make(targets=np.array([1e308, -1e308, 1e308, 0, 0, 0]))
    with pytest.raises(ValueError, match="`targets` must be finite"):
        table.standardization()
    with pytest.raises(ValueError, match="`ids` must name at least one task"):
        make().take_tasks([])
