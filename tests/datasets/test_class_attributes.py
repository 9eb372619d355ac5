"""Descriptions of classes, and how they follow their classes everywhere."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmeta.datasets import ClassTable
from tfmeta.datasets.class_attributes import attributes_from_json, attributes_to_json
from tfmeta.datasets.storage.table_folder import open_table, save_table

SIZES = (2, 3, 1, 2)


def make_table(attributes):
    return ClassTable(
        name="toy",
        examples=np.arange(sum(SIZES) * 4, dtype="uint8").reshape(-1, 2, 2, 1),
        offsets=np.concatenate([[0], np.cumsum(SIZES)]),
        class_names=("a", "b", "c", "d"),
        class_attributes=attributes,
    )


NUMBERS = np.arange(12, dtype="float32").reshape(4, 3) / 7
TEXTS = np.array(["ä", "", "two words", "\n"], object)
KINDS = pytest.mark.parametrize("attributes", [NUMBERS, TEXTS], ids=["numbers", "text"])


@KINDS
def test_follow_their_classes(attributes):
    table = make_table(attributes)
    picked = table.take_classes([2, 0])
    np.testing.assert_array_equal(picked.class_attributes, attributes[[2, 0]])
    turned = table.with_rotations()
    np.testing.assert_array_equal(turned.class_attributes, np.repeat(attributes, 4, 0))
    assert turned.class_names[5] == "b/rot090"


def test_from_arrays_sorts_them_with_the_classes():
    table = ClassTable.from_arrays(
        "toy", np.zeros((3, 2)), ["b", "a", "b"], class_attributes={"a": "A", "b": "B"}
    )
    assert table.class_attributes.tolist() == ["A", "B"]
    assert table.class_attributes.dtype == object
    assert ClassTable.from_arrays("t", np.zeros((1, 2)), ["a"]).class_attributes is None


@KINDS
def test_saved_and_opened(attributes, tmp_path):
    save_table(make_table(attributes), tmp_path / "t")
    opened = open_table(tmp_path / "t").class_attributes
    np.testing.assert_array_equal(opened, attributes)
    assert opened.dtype == attributes.dtype


def test_a_table_without_is_written_as_before(tmp_path):
    save_table(make_table(None), tmp_path / "t")
    header = json.loads((tmp_path / "t" / "table.json").read_text("utf-8"))
    assert "attributes" not in header["layout"]
    assert open_table(tmp_path / "t").class_attributes is None


def test_written_for_tensorflow_datasets_and_read(tmp_path):
    pytest.importorskip("array_record")
    from tfmeta.datasets.storage.array_record import (
        read_array_record,
        write_array_record,
    )

    write_array_record(make_table(NUMBERS), tmp_path / "toy" / "1.0.0")
    read = read_array_record(tmp_path / "toy" / "1.0.0")
    np.testing.assert_array_equal(read.class_attributes, NUMBERS)


@given(
    hnp.arrays(
        st.sampled_from(["float16", "float32", "float64", "int8", "uint64", "bool"]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
def test_round_trip_by_json(array):
    again = attributes_from_json(json.loads(json.dumps(attributes_to_json(array))))
    assert again.dtype == array.dtype and again.shape == array.shape
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"dtype": "float32", "shape": [3], "values": [1.0]},
        {"dtype": "picture", "shape": [1], "values": [1.0]},
        {"dtype": "int8", "shape": [1], "values": ["x"]},
        {"dtype": "int8", "shape": [1], "values": None},
    ],
)
def test_damaged_attributes_are_named(content):
    with pytest.raises(ValueError, match="class attributes must have a dtype"):
        attributes_from_json(content)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (NUMBERS[:3], r"for each class, 4\. Received: shape \(3, 3\)"),
        (3.0, r"Received: shape \(\)"),
        ([[1], [2], [3], [4, 5]], "Received: .*inhomogeneous"),
        (np.array(["a", 2, None, "b"], object), "Received: NoneType, int"),
        (np.zeros((4, 2), complex), "Received: complex128"),
    ],
)
def test_what_is_no_description_is_refused(attributes, message):
    with pytest.raises(
        ValueError, match=f"`class_attributes` of table 'toy'.*{message}"
    ):
        make_table(attributes)


def test_other_examples_leave_them_alone():
    table = dataclasses.replace(make_table(TEXTS), examples=np.zeros((8, 5)))
    np.testing.assert_array_equal(table.class_attributes, TEXTS)
