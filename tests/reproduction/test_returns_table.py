"""The table of returns: paired differences, and figures whose runs are gone."""

import dataclasses
import json

import numpy as np
import pytest

from tfmeta.reproduction.returns.row import load_returns_rows, select
from tfmeta.reproduction.returns.table import (
    collect,
    markdown,
    read_table,
    write_table,
)

RNG = np.random.default_rng(0)
PROTOCOL = {"tasks": 5, "trajectories": 20, "seed": 0, "updates": 1}


def kept(shift, seeds=3):
    return [
        {
            **{"seed": seed, "steps": 100, "minutes": 2.0, "protocol": PROTOCOL},
            "returns": (RNG.normal(size=(2, 5)) + shift).tolist(),
        }
        for seed in range(seeds)
    ]


def content():
    names = ("navigation_maml", "navigation_pretraining")
    rows = dict(zip(names, (kept(3.0), kept(0.0)), strict=True))
    return {"table": "control", "command": "tfmeta reproduce control", "rows": rows}


def test_every_row_is_a_configuration_that_is_compared_with_a_row():
    rows = load_returns_rows()
    names = {row.name for row in rows}
    for row in rows:
        assert row.train_config(budget=0.5).task == "control"
        assert row.compare_to is None or row.compare_to in names


def test_differences_are_paired_by_task_and_seed():
    rows, table = load_returns_rows(), content()
    text = markdown(table, rows)
    one, other = (
        np.array([run["returns"] for run in table["rows"][name]])
        for name in ("navigation_maml", "navigation_pretraining")
    )
    paired = (one[:, 1] - other[:, 1]).mean(axis=0)
    (line,) = (x for x in text.splitlines() if "over navigation_pretraining" in x)
    assert f"{paired.mean():+.2g}"[:3] in line.split(",")[-1]
    assert "| MAML | 3 | 100 | 2 |" in text


def test_figures_outlive_their_runs(tmp_path):
    rows = load_returns_rows()
    write_table(content(), rows, tmp_path)
    earlier = read_table(tmp_path / "control.json")
    again = collect(
        rows, tmp_path, seeds=range(3), budget=1.0, earlier=earlier, command="c"
    )
    assert again["rows"] == earlier["rows"]


def test_a_file_that_is_none_is_refused(tmp_path):
    assert read_table(tmp_path / "control.json") is None
    (tmp_path / "control.json").write_text(json.dumps({"table": 3}))
    with pytest.raises(ValueError, match=r"control\.json"):
        read_table(tmp_path / "control.json")


def test_rows_are_chosen_by_name():
    rows = load_returns_rows()
    assert [row.name for row in select(rows, ["navigation_maml"])] == [
        "navigation_maml"
    ]
    with pytest.raises(ValueError, match="`row` of table 'control' must be one of"):
        select(rows, ["nobody"])
    assert dataclasses.is_dataclass(rows[0])
