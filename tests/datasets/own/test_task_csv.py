"""CSV files of numbers by task."""

import numpy as np
import pytest

from tfmeta.datasets.own.task_csv import load_task_csv

HOUSES = [
    "town,size,agent,price,rooms",
    "Ulm,120.5,Kim,410000,4",
    "Bern,80,Lee,390000,3",
    "Ulm,60,Kim,2e5,2",
]


@pytest.fixture
def written(tmp_path):
    """Writes lines into a file."""

    def write(lines, name="houses.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def load(path, **options):
    return load_task_csv(
        path, **{"task_column": "town", "target_column": "price", **options}
    )


def test_columns_besides_task_and_target_are_features(written):
    lines = [line.replace(",Kim", "").replace(",Lee", "") for line in HOUSES]
    lines[0] = "town,size,price,rooms"
    table = load(written(lines))
    assert table.name == "houses" and table.task_names == ("Bern", "Ulm")
    assert table.feature_names == ("size", "rooms")
    np.testing.assert_array_equal(table.features, [[80, 3], [120.5, 4], [60, 2]])
    np.testing.assert_array_equal(table.targets[:, 0], [390_000, 410_000, 200_000])
    for delimiter in (";", "\t"):
        others = written([line.replace(",", delimiter) for line in lines], "b.tsv")
        np.testing.assert_array_equal(load(others).features, table.features)


def test_columns_are_chosen_by_name(written):
    path = written(HOUSES)
    table = load(path, target_column="price, rooms", feature_column="size")
    assert table.target_names == ("price", "rooms")
    np.testing.assert_array_equal(table.targets[0], [390_000, 3])
    assert table.feature_names == ("size",)
    # A comma may be part of a name.
    odd = written(['town,"a, b",price', "Ulm,1,2"], "odd.csv")
    assert load(odd, feature_column="a, b").feature_names == ("a, b",)
    assert load(odd, feature_column='"a, b"').feature_names == ("a, b",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"must be of numbers, and `feature_column` chooses.*'agent' \('Kim'\)"),
        ({"task_column": "city"}, "must name the columns 'city'"),
        ({"target_column": "cost"}, "`target_column` must name columns.*'cost', not"),
        ({"feature_column": "size,area"}, "`feature_column` must name.*'area', not"),
        ({"feature_column": "price"}, "different columns. Received: 'price' more"),
        ({"feature_column": "size,size"}, "different columns. Received: 'size' more"),
        ({"target_column": "town"}, "different columns. Received: 'town' more"),
        ({"target_column": "agent"}, "line 2: 'agent' must be a finite number.*'Kim'"),
        ({"feature_column": "agent"}, "line 2: 'agent' must be a finite number"),
    ],
)
def test_columns_that_cannot_be_are_named(written, options, message):
    with pytest.raises(ValueError, match=message):
        load(written(HOUSES), **options)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Ulm,,Kim,1,2", "line 5: 'size' must be a finite number.*Received: nothing"),
        ("Ulm,nan,Kim,1,2", "line 5: 'size' must be a finite number.*'nan'"),
        ("Ulm,1,Kim,inf,2", "line 5: 'price' must be a finite number.*'inf'"),
        ("Ulm,1,Kim,-1e39,2", r"line 5: 'price' must be .*at most 1e\+30.*'-1e39'"),
        ("Ulm,1,Kim,1e999,2", "line 5: 'price' must be a finite number.*'1e999'"),
        ("Ulm,1_0,Kim,1,2", "line 5: 'size' must be a finite number.*'1_0'"),
        (",1,Kim,1,2", "line 5: 'town' must not be empty"),
        ("Ulm,1,Kim,1", "line 5: there must be 5 fields"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_or_left_out(written, row, message):
    path = written([*HOUSES, row])
    options = {"feature_column": "size,rooms"}
    with pytest.raises(ValueError, match=message):
        load(path, **options)
    table = load(path, **options, skip_bad=True)
    assert table.num_rows == 3
    (note,) = table.notes
    assert "1 entries" in note and "line 5" in note


def test_files_without_rows_or_columns_are_refused(written):
    with pytest.raises(ValueError, match="a row of numbers. Received: a header alone"):
        load(written(["town,size,price"]))
    with pytest.raises(ValueError, match="none that is right"):
        load(written(["town,size,price", "Ulm,a,1"]), feature_column="size", skip_bad=1)
    with pytest.raises(ValueError, match="must have a column besides 'town' and"):
        load(written(["town,price", "Ulm,1"]))
    with pytest.raises(ValueError, match="a name of its own.*'size' more than once"):
        load(written(["town,size,size,price", "Ulm,1,2,3"]))
    with pytest.raises(ValueError, match="a name of its own.*one without a name"):
        load(written(["town,,price", "Ulm,1,2"]))
    with pytest.raises(FileNotFoundError):
        load("nothing.csv")


def test_names_of_tasks_are_of_one_form(written):
    table = load(written(["town,size,price", "Zu\u0308rich,1,2", "Z\u00fcrich,1,2"]))
    assert table.task_names == ("Z\u00fcrich",)
