import copy
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from tfmeta.evaluation.lake import LakeResult
from tfmeta.reproduction.collect import collect
from tfmeta.reproduction.figures import find_figure
from tfmeta.reproduction.row import Column, Published, Row
from tfmeta.reproduction.table import ReproductionTable
from tfmeta.runs.measuring.lake import LAKE_FORMAT_VERSION
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder, write_json


@pytest.fixture
def table(row_values, glyphs_run):
    """A table of the row that `glyphs_run` has trained."""
    config = RunFolder(glyphs_run).read_config().to_json()
    del config["seed"]
    row_values["config"] = config
    return ReproductionTable("own", (Row.from_json("some", row_values),))


@pytest.fixture
def add_run(glyphs_run, tmp_path):
    """Copies the run as if it had been trained with another seed or budget."""

    def add_run(name, **changes):
        folder = RunFolder(shutil.copytree(glyphs_run, tmp_path / "out" / name))
        header = json.loads(folder.config_file.read_text())
        header["config"].update(changes)
        write_json(folder.config_file, header)
        return folder

    return add_run


def shift_figures(folder, shift):
    """Moves every accuracy of a run."""
    values = json.loads(folder.metrics_file.read_text())
    for result in values["results"]:
        shifted = np.array(result["episode_accuracies"]) + shift
        result["episode_accuracies"] = shifted.tolist()
    write_json(folder.metrics_file, values)


def test_seeds_and_budgets_stand_apart(table, add_run, tmp_path):
    first, second = (add_run(f"some-seed{seed}", seed=seed) for seed in (3, 11))
    add_run("some-budget2-seed0", seed=0, epochs=16)
    shift_figures(second, 0.02)
    for name in ("some-seedling", "other-seed0", "some-budgetx-seed0", "some-seed05"):
        (tmp_path / "out" / name).mkdir()
    content = collect(table, tmp_path / "out", test_episodes=600, command="reproduce")
    assert content["left_out"] == []
    usual, longer = content["rows"]
    assert (usual["budget"], longer["budget"]) == (1.0, 2.0)
    assert usual["command"] == "reproduce --row some --seeds 12"
    assert longer["command"] == "reproduce --row some --budget 2"
    assert [run["folder"] for run in usual["runs"]] == ["some-seed3", "some-seed11"]
    accuracies = [
        100 * result.accuracy for f in (first, second) for result in read_results(f)
    ]
    spread = usual["columns"][0]["over_training_seeds"]
    assert spread["mean"] == pytest.approx(np.mean(accuracies))
    assert spread["standard_deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    # Student's t of one degree of freedom.
    assert spread["half_width"] == pytest.approx(12.706 * 2 / 2, rel=1e-4)
    assert longer["columns"][0]["over_training_seeds"] is None
    assert usual["columns"][0]["goal_met"] == (accuracies[0] >= 20)


def test_trainings_measured_on_other_classes_have_no_spread(table, add_run, tmp_path):
    add_run("some-seed0", seed=0)
    second = add_run("some-seed1", seed=1)
    values = json.loads(second.metrics_file.read_text())
    values["results"][0]["protocol"]["fingerprint"] = "another"
    write_json(second.metrics_file, values)
    content = collect(table, tmp_path / "out", test_episodes=600, command="reproduce")
    assert content["rows"][0]["columns"][0]["over_training_seeds"] is None


def test_a_run_that_goes_on_has_its_curve_and_no_figure(table, add_run, tmp_path):
    folder = add_run("some-seed0", seed=0)
    folder.learner_file.unlink()
    (expected,) = (json.loads(folder.history_file.read_text())["val_accuracy"],)
    folder.history_file.unlink()
    content = collect(table, tmp_path / "out", test_episodes=600, command="reproduce")
    (run,) = content["rows"][0]["runs"]
    assert (run["trained"], run["figures"]) == (False, [None])
    assert run["history"]["val_accuracy"] == expected


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: f.metrics_file.write_text("{"), "metrics.json must be a JSON file"),
        (lambda f: f.history_file.unlink(), "history.json"),
        (lambda f: f.config_file.unlink(), "must be a run folder"),
        (
            lambda f: f.config_file.write_text(
                f.config_file.read_text().replace('"filters": 4', '"filters": 5')
            ),
            "must hold a run with filters=4.*Received: filters=5",
        ),
    ],
    ids=["metrics", "history", "no config", "other config"],
)
def test_what_cannot_be_read_is_left_out(table, add_run, tmp_path, harm, message):
    add_run("some-seed1", seed=1)
    harm(add_run("some-seed0", seed=0))
    content = collect(table, tmp_path / "out", test_episodes=600, command="reproduce")
    (reason,) = content["left_out"]
    assert reason.startswith("some-seed0 is left out: ")
    assert re.search(message, reason)
    assert [run["seed"] for run in content["rows"][0]["runs"]] == [1]


def test_episodes_of_another_kind_are_another_figure(add_run):
    folder = add_run("some-seed0", seed=0)
    column = Column(Published(98.8, "table 1"), queries=5)
    assert find_figure(column, folder, test_episodes=600) is not None
    assert find_figure(column, folder, test_episodes=1000) is None
    other = Column(Published(98.8, "table 1"), queries=15)
    assert find_figure(other, folder, test_episodes=600) is None
    values = json.loads(folder.metrics_file.read_text())
    unlike = copy.deepcopy(values)
    unlike["results"][0]["protocol"]["balanced"] = False
    write_json(folder.metrics_file, unlike)
    assert find_figure(column, folder, test_episodes=600) is None


def test_lakes_test_is_a_figure_of_its_own(add_run):
    folder = add_run("some-seed0", seed=0)
    column = Column(Published(13.7, "a report"), kind="lake")
    assert find_figure(column, folder, test_episodes=600) is None
    labels = np.tile(np.arange(20, dtype=np.int32), (20, 1))
    predicted = labels.copy()
    predicted[:10, 0] = 1
    result = LakeResult(
        size=28,
        transductive=False,
        alphabets=tuple(f"alphabet{run // 2}" for run in range(20)),
        labels=labels,
        predicted=predicted,
    )
    values = {"format_version": LAKE_FORMAT_VERSION, "result": result.to_json()}
    write_json(folder.lake_file, values)
    figure = find_figure(column, folder, test_episodes=600)
    assert figure["percent"] == pytest.approx(2.5)
    low, high = figure["intervals"]["trials"]
    assert low < 2.5 < high
    assert set(figure["intervals"]) == {"trials", "alphabets"}


def test_figures_stay_where_a_run_folder_is_gone(table, add_run, tmp_path):
    kept = add_run("some-seed3", seed=3)
    out = tmp_path / "out"
    options = {"test_episodes": 600, "command": "reproduce"}
    earlier = json.loads(json.dumps(collect(table, out, **options)))
    shutil.rmtree(kept.path)
    assert collect(table, out, **options)["rows"][0]["runs"] == []
    content = collect(table, out, **options, earlier=earlier)
    assert content["rows"] == earlier["rows"]

    # What others published, and the goal, are those of the row as it is now.
    (row,) = table.rows
    column = dataclasses.replace(
        row.columns[0], goal=0.0, published=Published(50.0, "another table")
    )
    edited = dataclasses.replace(row, columns=(column,), note="new")
    (kept_row,) = collect(
        ReproductionTable("own", (edited,)), out, **options, earlier=earlier
    )["rows"]
    assert kept_row["runs"] == earlier["rows"][0]["runs"]
    assert kept_row["note"] == "new"
    assert kept_row["columns"][0]["goal_met"] is True
    assert kept_row["columns"][0]["published"]["percent"] == 50

    # Beside a run that is there; which wins where both are.
    shift_figures(add_run("some-seed0", seed=0), 0.02)
    (row,) = collect(table, out, **options, earlier=earlier)["rows"]
    assert [run["seed"] for run in row["runs"]] == [0, 3]
    assert row["columns"][0]["over_training_seeds"]["seeds"] == 2
    again = add_run("some-seed3", seed=3)
    shift_figures(again, -0.02)
    (row,) = collect(table, out, **options, earlier=earlier)["rows"]
    before = earlier["rows"][0]["runs"][0]["figures"][0]["percent"]
    assert row["runs"][1]["figures"][0]["percent"] == pytest.approx(before - 2)


@pytest.mark.parametrize(
    "change", ["episodes", "training", "another version", "columns", "unfinished"]
)
def test_figures_of_something_else_do_not_stay(change, table, add_run, tmp_path):
    kept = add_run("some-seed3", seed=3)
    out = tmp_path / "out"
    earlier = json.loads(
        json.dumps(collect(table, out, test_episodes=600, command="reproduce"))
    )
    shutil.rmtree(kept.path)
    if change == "training":
        earlier["rows"][0]["config"]["epochs"] += 1
    elif change == "another version":
        earlier["rows"][0]["config"]["warmth"] = 1
    elif change == "columns":
        earlier["rows"][0]["columns"][0]["shots"] += 1
    elif change == "unfinished":
        earlier["rows"][0]["runs"][0]["trained"] = False
    content = collect(
        table,
        out,
        test_episodes=700 if change == "episodes" else 600,
        command="reproduce",
        earlier=earlier,
    )
    assert [row["runs"] for row in content["rows"]] == [[]]
