import copy
import dataclasses

import pytest

from tfmeta.reproduction.row import Column, Published, Row


def test_what_a_file_says(row_values):
    row = Row.from_json("some", row_values)
    assert (row.name, row.title, row.note) == ("some", "Prototypical Network", None)
    assert row.paper.year == 2017
    (column,) = row.columns
    assert column == Column(Published(98.8, "table 1"), queries=5, goal=20)
    assert column.label == "5-way 1-shot"


def test_seed_and_budget_are_all_that_differs(row_values):
    row = Row.from_json("some", row_values)
    usual = row.train_config()
    assert (usual.seed, usual.epochs, usual.steps_per_epoch) == (0, 8, 3)
    assert row.train_config(seed=4) == dataclasses.replace(usual, seed=4)
    assert row.train_config(budget=2.5) == dataclasses.replace(usual, epochs=20)
    assert row.train_config(budget=0.01).epochs == 1


def test_run_folders_are_named_apart(row_values):
    row = Row.from_json("some", row_values)
    assert row.folder_name() == "some-seed0"
    assert row.folder_name(seed=2, budget=1.0) == "some-seed2"
    assert row.folder_name(seed=2, budget=2.5) == "some-budget2.5-seed2"


def test_a_goal_is_met_from_the_right_side():
    accuracy = Column(Published(98.8, "table 1"), goal=98.0)
    error = Column(Published(13.7, "a report"), kind="lake", goal=14.0)
    assert [accuracy.meets_goal(x) for x in (97.9, 98.0, 99.0)] == [False, True, True]
    assert [error.meets_goal(x) for x in (13.0, 14.0, 14.1)] == [True, True, False]
    assert Column(Published(98.8, "table 1")).meets_goal(50.0) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("paper"), "a row must hold .*Received: none of paper"),
        (lambda v: v.update(colour=1), "a row must hold .*Received: colour"),
        (lambda v: v.update(columns=[]), "`columns`.*at least 1"),
        (lambda v: v["config"].update(seed=1), "`config`.*seed=1"),
        (lambda v: v["config"].update(width=1), "keys.*Received: width"),
        (
            lambda v: v["config"].update(epochs=0),
            "`epochs` must be an int of at",
        ),
        (lambda v: v["paper"].pop("year"), "`paper` must hold.*year"),
        (lambda v: v.update(paper="Snell"), "`paper` must hold.*'Snell'"),
        (lambda v: v["columns"][0].pop("published"), "a column must hold published"),
        (
            lambda v: v["columns"][0].update(kind="odd"),
            "`kind`.*episodes, lake, instances.*odd",
        ),
        (
            lambda v: v["columns"][0]["published"].pop("source"),
            "`published` must hold.*Received: none of source",
        ),
    ],
)
def test_what_is_no_row_is_named(row_values, change, message):
    values = copy.deepcopy(row_values)
    change(values)
    with pytest.raises(ValueError, match=message):
        Row.from_json("some", values)
