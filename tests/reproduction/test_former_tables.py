"""Rows and results of before: no figure is lost, and none turns "not run"."""

import json
from pathlib import Path

import pytest

from tfmeta.reproduction.collect import collect
from tfmeta.reproduction.files import read_earlier, read_result
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.row import Row
from tfmeta.reproduction.table import NAMES, load_table

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
# Rows that have never been trained; all others have figures.
NOT_RUN = {
    "omniglot": {"prototypical", "siamese_verification"},
    "mini-imagenet": {"prototypical_varying_shots"},
}


def flat(config):
    """A configuration as version 1 had it."""
    values = {k: v for k, v in config.items() if k not in ("training", "test")}
    task = values.pop("validation", {})
    assert config.get("test", {}) == task
    training = config.get("training", {})
    own = {f"train_{n}": v for n, v in training.items() if n in _OWN}
    shared = {n: v for n, v in training.items() if n not in _OWN}
    return {**values, **shared, **task, **own}


_OWN = ("ways", "shots", "queries")


def as_before(content):
    """A result of format version 2."""
    rows = [{**row, "config": flat(row["config"])} for row in content["rows"]]
    return {**content, "format_version": 2, "rows": rows}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("former", [False, True], ids=["committed", "former"])
def test_every_row_keeps_its_figures(name, former, tmp_path):
    """As `tfmeta reproduce` finds them where the run folders are gone."""
    kept = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert kept["format_version"] == 3
    written = as_before(kept) if former else kept
    (tmp_path / f"{name}.json").write_text(json.dumps(written), encoding="utf-8")
    content = collect(
        load_table(name),
        tmp_path,
        test_episodes=kept["test_episodes"],
        command=f"tfmeta reproduce {name}",
        earlier=read_earlier(name, tmp_path),
    )
    content = json.loads(json.dumps(content))
    assert [r["row"] for r in content["rows"]] == [r["row"] for r in kept["rows"]]
    for row, before in zip(content["rows"], kept["rows"], strict=True):
        # Settings that have come since are those of no use.
        config = dict(row["config"])
        for later in config.keys() - before["config"].keys():
            assert config.pop(later) is None
        row = {**row, "config": config}
        # The note is the row's as it is now.
        assert {**row, "note": None} == {**before, "note": None}, row["row"]
    without = {row["row"] for row in content["rows"] if not row["runs"]}
    assert without == NOT_RUN[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_former_result_is_the_same_table(name, tmp_path):
    path = RESULTS / f"{name}.json"
    content = read_result(path)
    former = tmp_path / "former.json"
    text = json.dumps(as_before(content))
    former.write_text(text, encoding="utf-8")
    assert read_result(former) == content
    assert markdown(read_result(former)) == markdown(content)
    assert former.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_a_former_row_trains_the_same(name):
    folder = Path(load_table.__code__.co_filename).parent / "tables" / name
    rows = {row.name: row for row in load_table(name).rows}
    for path in sorted(folder.glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        assert values["format_version"] == 2
        former = {**values, "format_version": 1, "config": flat(values["config"])}
        assert former["config"] != values["config"]
        row = Row.from_json(path.stem, former)
        assert row.train_config() == rows[path.stem].train_config()
        assert row == rows[path.stem]


def test_another_training_of_before_is_another_row(tmp_path):
    """Where a configuration differs in one value of one task, no figure is kept."""
    kept = json.loads((RESULTS / "omniglot.json").read_text(encoding="utf-8"))
    (row,) = [row for row in kept["rows"] if row["row"] == "matching"]
    table = load_table("omniglot")
    for part, name in (
        ("training", "queries"),
        ("validation", "shots"),
        ("test", "ways"),
    ):
        changed = json.loads(json.dumps(row))
        changed["config"][part][name] += 1
        content = collect(
            table,
            tmp_path,
            test_episodes=kept["test_episodes"],
            command="tfmeta reproduce omniglot",
            earlier={**kept, "rows": [changed]},
        )
        (found,) = [r for r in content["rows"] if r["row"] == "matching"]
        assert found["runs"] == [], part
