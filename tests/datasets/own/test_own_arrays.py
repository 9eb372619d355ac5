"""Arrays of one's own as a class table: any shape, any dtype, any labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmeta.datasets import ClassTable
from tfmeta.datasets.own.npz_archive import DTYPES

stacks = st.tuples(
    st.sampled_from(DTYPES),
    hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
).flatmap(lambda form: hnp.arrays(*form))


@settings(deadline=None)
@given(stacks, st.data())
def test_any_shape_and_dtype(examples, data):
    labels = data.draw(
        st.lists(st.integers(-3, 12), min_size=len(examples), max_size=len(examples))
    )
    table = ClassTable.from_arrays("mine", examples, labels)
    assert table.examples.dtype == examples.dtype
    assert table.example_shape == examples.shape[1:]
    # Numbers in the order of numbers: 2 before 10.
    assert table.class_names == tuple(str(n) for n in sorted(set(labels)))
    for class_id, name in enumerate(table.class_names):
        chosen = [
            x for x, label in zip(examples, labels, strict=True) if label == int(name)
        ]
        np.testing.assert_array_equal(table.examples_of(class_id), np.array(chosen))


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a", "b"],
        ("b", "a", "b"),
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], object),
        [1, 0, 1],
        np.array([1, 0, 1], np.uint8),
        [True, False, True],
        np.array([7, -7, 7]),
    ],
)
def test_kinds_of_labels(labels):
    table = ClassTable.from_arrays("mine", [10, 20, 30], labels)
    assert table.class_sizes.tolist() == [1, 2]
    assert table.examples[:].tolist() == [20, 10, 30]
    assert all(type(name) is str for name in table.class_names)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["a"] * 4,
        [0.0, 1.0, float("nan")],
        ["a", None, "b"],
        np.eye(3),
        np.zeros((3, 1), int),
        [b"a", b"b", b"c"],
        "abc d",
        np.array("abc"),
    ],
    ids=repr,
)
def test_labels_that_do_not_fit(labels):
    with pytest.raises((ValueError, TypeError)):
        ClassTable.from_arrays("mine", np.zeros((3, 2)), labels)


def test_nan_is_kept_for_describe_to_find():
    examples = np.array([[np.nan, 1.0], [2.0, np.inf]])
    table = ClassTable.from_arrays("mine", examples, ["b", "a"])
    np.testing.assert_array_equal(table.examples, examples[::-1])
