"""`tfmeta tasks`, each time as a user would type it."""

import contextlib
import json
import shutil
import sqlite3

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.cli.tasks_in_words import verdicts
from tfmeta.cli.tasks_map import save_map
from tfmeta.datasets import load
from tfmeta.tasks import TaskLibrary


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an encoder of glyphs: random projections."""
    folder = tmp_path_factory.mktemp("tasks")
    keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dense(
                16, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=0)
            ),
        ]
    ).save(folder / "encoder.keras")
    return folder


BUILD = ("--tasks", "40", "--ways", "3", "--shots", "2", "--queries", "3")


# Where another distance or start would change nothing that is asked.
QUICK = ("--metric", "linear", "--start", "random")


@pytest.fixture(scope="module")
def built(place):
    """A library, by the command in this process; what it said is in a file beside."""
    from tfmeta.cli.main import tfmeta

    arguments = ["tasks", "build", str(place / "library"), *BUILD]
    arguments += ["--encoder", str(place / "encoder.keras")]
    arguments += ["--map", str(place / "map.png")]
    with (place / "said").open("w") as said, contextlib.redirect_stdout(said):
        tfmeta.main(arguments, standalone_mode=False)
    return place / "library"


@pytest.fixture
def library(built, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(built, tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def folder(tmp_path):
    """Three characters of one alphabet, as pictures."""
    table = load("glyphs", split="test")
    for name in range(3):
        (tmp_path / "mine" / f"class {name}").mkdir(parents=True)
        for number, picture in enumerate(table.examples_of(name)[:2]):
            file = tmp_path / "mine" / f"class {name}" / f"{number}.png"
            Image.fromarray(picture[..., 0]).save(file)
    return tmp_path / "mine"


def test_a_library_is_built_with_its_map(built, place):
    with TaskLibrary.load(built) as library:
        assert len(library) == 40
        assert len(set(library.groups)) > 1
        assert library.about["split"] == "half"
        assert library.learner().network.outputs == 3
    with Image.open(place / "map.png") as picture:
        assert picture.size[0] > 600


def test_a_build_says_which_distance_it_has_and_what_is_grey(built, place):
    _, distance, drawn, _ = (place / "said").read_text().splitlines()
    with TaskLibrary.load(built) as library:
        choice, groups = library.about["metric"], len(set(library.groups))
    assert distance.startswith(f"Distance: {choice['chosen']}. Nearest is an alike one")
    for name, figure in choice["precision_at_1"].items():
        assert f"{100 * figure['mean']:.1f} ±" in distance and f"by {name}" in distance
    grey = f"; the {groups - 18} smallest of {groups} groups are grey"
    assert drawn.endswith(grey if groups > 18 else "map.png")


def test_a_map_says_how_many_groups_are_grey(library, tmp_path):
    with TaskLibrary.load(library) as opened:
        groups = [f"group {number // 2}" for number in range(40)]
        opened.remove(*opened.names)
        features = np.random.default_rng(0).normal(size=(40, 6, 16)).astype("float32")
        labels = np.tile(np.eye(3, dtype="float32"), (40, 2, 1))
        names = [f"task {number}" for number in range(40)]
        opened.add_features(names, features, labels, groups=groups)
        assert save_map(opened, tmp_path / "map.png") == 2


def test_the_nearest_are_listed(call, library, folder):
    found = call("tasks", "nearest", library, folder, "--neighbours", "3")
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].split() == ["distance", "group", "task"] and len(lines) == 4
    as_json = call("tasks", "nearest", library, folder, "--format", "json")
    nearest = json.loads(as_json.out)["nearest"]
    assert len(nearest) == 5
    distances = [one["distance"] for one in nearest]
    assert distances == sorted(distances)
    assert nearest[0]["name"] in lines[1]
    far = call("tasks", "nearest", library, folder, "--threshold", "1e-6")
    assert "begins plain" in far.out


def test_a_task_is_added_found_and_removed(call, library, folder):
    added = call("tasks", "add", library, folder, "--group", "mine")
    assert added.code == 0 and "3 classes" in added.out and "41 tasks" in added.out
    found = call("tasks", "nearest", library, folder, "--neighbours", "1")
    assert found.out.splitlines()[1].split() == ["0.000", "mine", "mine"]
    again = call("tasks", "add", library, folder)
    assert "'mine'" in again.error and "nothing was added" in again.error
    assert "40 tasks" in call("tasks", "remove", library, "mine").out
    assert "'mine'" in call("tasks", "remove", library, "mine").error


def test_what_it_is_worth_is_measured(call, library, tmp_path):
    output = tmp_path / "worth.json"
    found = call("tasks", "evaluate", library, "--tasks", "30", "--output", output)
    assert found.code == 0
    content = json.loads(output.read_text())
    assert content["tasks"] == 30 and content["library"]["tasks"] == 40
    assert set(content["retrieval"]) == {
        "chance",
        "description, raw",
        "learned distance",
    }
    for figures in content["accuracy"].values():
        assert set(figures) == {"1", "5", "20"}
        assert all(0 <= one["mean"] <= 1 for one in figures.values())
    gain = content["gain"]["nearest"]["5"]["mean"]
    accuracy = content["accuracy"]
    assert gain == pytest.approx(
        accuracy["nearest"]["5"]["mean"] - accuracy["random"]["5"]["mean"]
    )
    assert "learned distance" in found.out
    assert content["plain_start"] == "the library's start"
    assert set(content["gain_over_plain"]) == {"nearest", "mixture of 5"}
    over = content["gain_over_plain"]["nearest"]["5"]["mean"]
    expected = (
        accuracy["nearest"]["5"]["mean"] - accuracy[content["plain_start"]]["5"]["mean"]
    )
    assert over == pytest.approx(expected)
    said = [line for line in found.out.splitlines() if "against the library's" in line]
    assert len(said) == 2 and said[0].startswith("Nearest, against the library's start")
    assert f"{100 * over:+.2f} points" in said[0]


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.01, 0.03), "+2.00 points (1.00 to 3.00 over other classes); it is better."),
        ((-0.01, 0.05), "5.00 over other classes); no difference is shown: 0 is in"),
        (None, "(0.50 to 3.50 over the drawing of tasks); it is better."),
    ],
)
def test_a_verdict_is_that_of_the_interval(ends, verdict):
    figure = {"mean": 0.02, "half_width": 0.015, "over_classes": {"ends": ends}}
    content = {"plain_start": "random", "gain_over_plain": {"nearest": {"5": figure}}}
    (line,) = verdicts(content)
    assert line.startswith("Nearest, against random, after 5 steps: +2.00")
    assert verdict in line


def test_which_encoder_to_start_from(call, place, folder, tmp_path):
    # One that sees nothing but how much ink there is.
    keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.GlobalAveragePooling2D()]
    ).save(tmp_path / "ink.keras")
    good, bad = place / "encoder.keras", tmp_path / "ink.keras"
    options = ("--candidate", bad, "--candidate", good, "--encoder", good)
    made = call("tasks", "build", tmp_path / "library", *BUILD, *options, *QUICK)
    assert made.code == 0, made.err
    assert "Distance: linear, as asked" in made.out
    found = call("tasks", "nearest", tmp_path / "library", folder)
    first, second, *_ = found.out.splitlines()
    assert first.startswith(f"Start from {good}: ") and str(bad) in second
    output = tmp_path / "worth.json"
    options = ("--tasks", "30", "--output", output)
    shown = call("tasks", "evaluate", tmp_path / "library", *options)
    regret = json.loads(output.read_text())["regret"]
    chosen, chance = regret["by the nearest tasks"], regret["any, by chance"]
    assert 0 <= chosen["mean"] < chance["mean"]
    assert "lost by choosing" in shown.out


def test_a_folder_is_evaluated_from_anywhere_and_as_it_was(call, place, monkeypatch):
    rng = np.random.default_rng(0)
    own = place / "own"
    for n in range(24):
        for number in range(6):
            file = own / ("fruit" if n % 2 else "tools") / f"c{n:02}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            keras.utils.save_img(file, rng.integers(0, 256, (28, 28, 1)), scale=False)
    monkeypatch.chdir(place)
    options = ("--tasks", "20", "--ways", "2", "--shots", "2", "--queries", "2")
    encoder = ("--encoder", place / "encoder.keras", *QUICK)
    made = call("tasks", "build", "of_own", "--dataset", "own", *options, *encoder)
    assert made.code == 0, made.err
    monkeypatch.chdir(place.parent)
    again = call("tasks", "evaluate", place / "of_own", "--tasks", "10")
    assert again.code == 0, again.err
    # Of other classes the halves are others: the new ones may be known.
    for folder in list(own.glob("*/*")):
        folder.rename(folder.with_name(f"other {folder.name}"))
    found = call("tasks", "evaluate", place / "of_own", "--tasks", "10")
    assert "LIBRARY must be of the classes" in found.error


def test_more_classes_than_can_be_matched_are_measured_without(call, place, tmp_path):
    options = ("--tasks", "20", "--ways", "8", "--shots", "2", "--queries", "3")
    encoder = ("--encoder", place / "encoder.keras", *QUICK)
    made = call("tasks", "build", tmp_path / "library", *options, *encoder)
    assert made.code == 0, made.err
    found = call("tasks", "evaluate", tmp_path / "library", "--tasks", "10")
    assert found.code == 0, found.err
    assert "nearest" in found.out and "classes matched" not in found.out


def test_what_cannot_be_is_one_line(call, library, folder, place, tmp_path):
    encoder = ("--encoder", place / "encoder.keras")
    there = call("tasks", "build", library, *BUILD, *encoder)
    assert "LIBRARY" in there.error
    many = call("tasks", "build", tmp_path / "x", "--tasks", "501", "--alike", "gain")
    assert "500" in many.error
    none = call("tasks", "build", tmp_path / "x", "--dataset", "nothing", *encoder)
    assert "nothing" in none.error
    ways = call("tasks", "build", tmp_path / "x", "--ways", "90", *encoder)
    assert ways.code == 2 and not (tmp_path / "x").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "task library" in call("tasks", "nearest", empty, folder).error
    shutil.copytree(folder / "class 0", folder / "class 3")
    four = call("tasks", "nearest", library, folder)
    assert "2 to 3 classes" in four.error
    no_run = call("tasks", "build", tmp_path / "x", "--run", empty)
    assert "`--run` must be the folder of a run" in no_run.error
    assert "--resume" not in no_run.error
    beyond = call("tasks", "nearest", library, folder, "--threshold", "3")
    assert "must be a number, above 0 to 2. Received: 3" in beyond.usage_error
    none = call("tasks", "nearest", library, folder, "--neighbours", "many")
    assert "must be a whole number, 1 to 1,000. Received: many" in none.usage_error
    with TaskLibrary.load(library) as opened:
        names = opened.names
    assert "holds 0 tasks" in call("tasks", "remove", library, *names).out
    assert "`LIBRARY` must hold tasks" in call("tasks", "evaluate", library).error


def test_long_names_are_short_in_lines(call, library, folder):
    name = "a" * 3000
    added = call("tasks", "add", library, folder, "--name", name, "--group", name)
    assert added.code == 0 and "…" in added.out
    found = call("tasks", "nearest", library, folder, "--neighbours", "1")
    assert "…" in found.out and len(found.out) < 300
    again = call("tasks", "add", library, folder, "--name", name)
    assert len(again.error) < 300
    as_json = call(
        "tasks", "nearest", library, folder, "--neighbours", "1", "--format", "json"
    )
    assert json.loads(as_json.out)["nearest"][0]["name"] == name
    assert call("tasks", "remove", library, name).code == 0


def test_a_damaged_task_is_named_once(call, library, folder, caplog):
    with sqlite3.connect(library / "tasks.sqlite") as connection:
        changed = connection.execute(
            "UPDATE tasks SET task_group = 'x' WHERE id = (SELECT min(id) FROM tasks)"
        )
        assert changed.rowcount == 1
    connection.close()
    found = call("tasks", "nearest", library, folder)
    assert found.code == 0 and found.err.count("damaged") == 1
    assert not [record for record in caplog.records if "damaged" in record.message]


@pytest.mark.parametrize(("alike", "metric"), [("classes", "linear"), ("gain", "auto")])
def test_other_signals(call, place, tmp_path, alike, metric):
    options = ("--alike", alike, "--encoder", place / "encoder.keras")
    options += ("--metric", metric, "--start", "random")
    found = call("tasks", "build", tmp_path / "library", *BUILD, *options)
    assert found.code == 0, found.err
    with TaskLibrary.load(tmp_path / "library") as library:
        assert np.isfinite(library.embeddings).all() and len(library) == 40
        assert library.about["alike"] == alike
        assert library.about["metric"]["asked"] == metric
