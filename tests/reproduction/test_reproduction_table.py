import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import tfmeta.reproduction.table
from tfmeta.datasets import ClassTable
from tfmeta.learners import FewShotLearner
from tfmeta.reproduction.table import NAMES, load_table
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config

ROWS = [(name, row) for name in NAMES for row in load_table(name).rows]
SHAPES = {"omniglot": (28, 28, 1), "mini_imagenet": (84, 84, 3)}


@pytest.mark.parametrize(
    ("table", "row"), ROWS, ids=[f"{name} {row.name}" for name, row in ROWS]
)
def test_every_row_of_the_package_builds(table, row):
    config = row.train_config(seed=1, budget=2)
    height, width, channels = SHAPES[config.dataset]
    if config.size is not None:
        height = width = config.size
    classes = ClassTable(
        name=config.dataset,
        examples=np.zeros((6, height, width, channels), np.uint8),
        offsets=np.array([0, 2, 4, 6]),
        class_names=("a", "b", "c"),
    )
    learner = build_learner(config, classes)
    assert isinstance(learner, FewShotLearner)
    assert learner.count_params() > 0
    for column in row.columns:
        assert 0 < column.published.percent < 100
        # Lake's test is of characters that the other protocol trains on.
        assert (column.kind == "lake") == (config.protocol == "lake")


def test_every_file_is_a_row():
    folder = Path(tfmeta.reproduction.table.__file__).parent / "tables"
    # That of returns has rows of its own form, see test_returns_table.py.
    assert {path.name for path in folder.iterdir()} == {*NAMES, "control"}
    for name in NAMES:
        files = sorted(path.stem for path in (folder / name).glob("*.json"))
        assert sorted(row.name for row in load_table(name).rows) == files


def test_rows_that_are_the_defaults_of_their_data():
    (prototypical,) = load_table("omniglot").select(["prototypical"])
    assert prototypical.train_config() == default_config("omniglot", {})
    (prototypical,) = load_table("mini-imagenet").select(["prototypical"])
    assert prototypical.train_config() == dataclasses.replace(
        default_config("mini_imagenet", {"learner": "prototypical"}),
        dtype_policy="mixed_bfloat16",
        epochs=80,
        steps_per_epoch=100,
        validation_episodes=100,
    )


def test_rows_come_in_the_order_of_their_papers():
    years = [row.paper.year for row in load_table("omniglot").rows]
    assert years == sorted(years)


def test_a_wrong_name_lists_those_that_are_there():
    with pytest.raises(ValueError, match="omniglot, mini-imagenet.*'imagenet'"):
        load_table("imagenet")
    table = load_table("omniglot")
    with pytest.raises(ValueError, match="siamese, .*relation.*row='protonet'"):
        table.select(["matching", "protonet"])
    assert [r.name for r in table.select(["relation", "matching"])] == [
        *("matching", "relation")
    ]
    assert table.select([]) == table.rows


@pytest.fixture
def own(row_values, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "some.json").write_text(json.dumps(row_values))
    return folder


def test_a_folder_of_ones_own(own):
    table = load_table(own)
    assert table.name == "own"
    assert [row.train_config() for row in table.rows] == [
        TrainConfig(epochs=8, steps_per_epoch=3)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: {**v, "format_version": 3}, "some.json.*at most 2.*newer tfmeta"),
        (lambda v: {**v, "colour": 1}, "some.json: a row must hold.*colour"),
        (lambda v: [v], "some.json must be a file that tfmeta wrote"),
        (lambda v: {**v, "columns": 3}, "some.json: "),
    ],
)
def test_a_file_that_is_no_row_is_named(own, row_values, change, message):
    (own / "some.json").write_text(json.dumps(change(row_values)))
    with pytest.raises(ValueError, match=message):
        load_table(own)


def test_a_folder_without_rows(tmp_path):
    with pytest.raises(ValueError, match="a JSON file for each row"):
        load_table(tmp_path)
