"""Whatever a JSON file holds, it is read as a whole or named in an error."""

import copy
import hashlib
import json
import warnings

import numpy as np
import pytest
from broken_json import WHOLE, changed_values, text_of

from tfmeta.callbacks import Resume
from tfmeta.callbacks.checkpoint_folder import load_checkpoint, save_checkpoint
from tfmeta.callbacks.resume_state import check_state
from tfmeta.classifying.by_class_names import _support_of
from tfmeta.classifying.run_pictures import picture_form
from tfmeta.classifying.saved_model import read_description
from tfmeta.datasets import load
from tfmeta.datasets.storage.table_folder import open_table, save_table
from tfmeta.evaluation import (
    EvaluationResult,
    InstancesResult,
    LakeResult,
    OpenSetResult,
)
from tfmeta.evaluation.threshold import nearest_threshold
from tfmeta.reproduction.csv_table import csv_text
from tfmeta.reproduction.files import read_result
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.table import load_table
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.instances import Instances
from tfmeta.runs.measuring.lake import Lake
from tfmeta.runs.measuring.on_episodes import metrics
from tfmeta.runs.measuring.open_set import OpenSet, read_thresholds
from tfmeta.runs.pictures import draw_curve
from tfmeta.runs.run_folder import RunFolder

COUNT = 150
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
PROTOCOL = {
    **{"table": "toy", "fingerprint": "0f", "ways": 2, "shots": 1, "queries": 3},
    **{"episodes": 3, "seed": 0},
}
SHARED = {
    "protocol": PROTOCOL,
    "transductive": True,
    "pretraining": {"data": "imagenet", "test_classes_seen": None},
    "episode_classes": [[0, 1], [1, 0], [0]],
}
EVALUATION = {
    **SHARED,
    "figure": "accuracy",
    "episode_accuracies": [0.5, 0.75, 1.0],
    "episode_auroc": [0.5, 0.75, 1.0],
    "classes": [
        *({"name": "a", "made_from": "a", "correct": 3, "total": 4, "taken_for": {}},),
        *({"name": "b", "made_from": "b", "correct": 1, "total": 3},),
    ],
    "reliability": {"count": [1.0], "probability": [0.7], "correct": [0.5]},
    "transduction": {
        **{"alone": [0.5, 0.75, 1.0], "unequal": [0.2, 0.4, 0.6]},
        "unequal_queries": 2,
    },
}
EVALUATION["classes"][1]["taken_for"] = {"a": 2}
OPEN_SET = {
    **SHARED,
    "protocol": {**PROTOCOL, "unknown_ways": 1},
    "classes": [{"name": "a", "made_from": "a"}, {"name": "b", "made_from": "b"}],
    "threshold": {
        **{"score": "logit", "value": 0.5, "recall": 0.9, "protocol": PROTOCOL},
        "validation_auroc": {"logit": 0.9, "probability": 0.8},
    },
    "figures": {
        name: {"episodes": [0.5, 0.75, 1.0]}
        for name in (
            *("accuracies", "auroc", "open_accuracies", "known_accepted"),
            "unknown_rejected",
        )
    },
}
LAKE = {
    **{"test": "lake", "size": 28, "transductive": False},
    "runs": [
        {"alphabet": a, "errors": 1, "labels": [0, 1], "predicted": [0, 0]}
        for a in "ab"
    ],
}
INSTANCES = {
    "protocol": {
        **{"table": "toy", "fingerprint": "0f", "ways": 2, "instances": 2},
        **{"episodes": 3, "seed": 0, "same_group": False},
    },
    "pretraining": {"data": "imagenet", "test_classes_seen": None},
    "guesses": True,
    "right": [[0, 2], [1, 1], [0, 2]],
    "classes": [{"name": "a", "made_from": "a"}, {"name": "b", "made_from": "b"}],
    "episode_classes": [[0, 1], [1, 0], [0, 1]],
}
FIGURE = {
    "percent": 98.0,
    "intervals": {"episode draws": [97.5, 98.5], "test classes": None},
    "no_interval": "too few classes",
    "test_classes": 20,
    "transductive": True,
    "beside_transductive": {"alone": 96.0, "unequal_classes": None},
    "pretraining": {"data": "imagenet", "test_classes_seen": True},
    "protocol": {"episodes": 1000},
}
PUBLISHED = {"percent": 98.8, "source": "table 1", "half_width": None, "checked": "x"}
COLUMN = {"kind": "episodes", "ways": 5, "shots": 1, "queries": 5, "goal": 20}
PAPER = {"authors": "J. Snell and others", "year": 2017, "title": "Networks"}
TABLE = {
    **{"format_version": 3, "table": "own", "written": "2026", "commit": "0123-dirty"},
    **{"tfmeta": "0.1.0", "test_episodes": 1000, "left_out": []},
    "rows": [
        {
            **{"row": "some", "title": "A", "paper": PAPER, "note": "n", "budget": 2.0},
            "config": TrainConfig(epochs=2).to_json(),
            **{"training": "5-way", "command": "tfmeta reproduce own"},
            "columns": [
                {
                    **COLUMN,
                    "published": PUBLISHED,
                    **{"label": "5-way", "goal_met": True},
                    "over_training_seeds": {
                        **{"mean": 98.0, "standard_deviation": 0.1},
                        **{"half_width": 0.2, "seeds": 2},
                    },
                }
            ],
            "runs": [
                {
                    **{"seed": 0, "folder": "some-seed0", "trained": True},
                    "training_seconds": 31.5,
                    "environment": {"gpus": [], "processor": "x", "usable_cores": 2},
                    "history": {name: [0.5, None, 0.25] for name in CURVES},
                    "figures": [FIGURE],
                }
            ],
        }
    ],
}
ROW = {
    **{"format_version": 2, "title": "A", "paper": PAPER, "note": "n"},
    "config": {"dataset": "glyphs", "epochs": 8, "training": {"ways": 5}},
    "columns": [{**COLUMN, "published": PUBLISHED}],
}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


class Reader:
    """A file that is well at first, and what reads it."""

    def __init__(self, path, value, read, put=write):
        self.path, self.value, self.read, self.put = path, value, read, put


def results(file):
    for result in file.read():
        assert str(result)
        json.dumps(result.to_json())


def history(folder):
    found = folder.read_history()
    if found and not folder.curve_picture.exists():  # which takes its time
        draw_curve(found, folder.read_config(), folder.curve_picture)
    return np.asarray(found.get("val_accuracy", [1.0]), np.float64)


def checkpoint(folder, name):
    """State and manifest; the digest is right, as a stranger would write it."""
    resume = Resume(folder.checkpoints)
    (path,) = folder.checkpoints.glob("checkpoint-*")

    def put(file, text):
        write(file, text)
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["sha256"]["state.json"] = hashlib.sha256(file.read_bytes()).hexdigest()
        write(path / "manifest.json", json.dumps(manifest))

    def read():
        found = load_checkpoint(folder.checkpoints)
        found.state["callbacks"] = copy.deepcopy(found.state.get("callbacks"))
        check_state(found, resume.callbacks)

    return Reader(
        path / name,
        json.loads((path / name).read_text()),
        read,
        put if name == "state.json" else write,
    )


@pytest.fixture
def reader(request, tmp_path):
    folder = RunFolder(tmp_path / "run")

    def versioned(file, value):
        key = "result" if file.single else "results"
        held = value if file.single else [value]
        return Reader(
            file.path, {"format_version": 1, key: held}, lambda: results(file)
        )

    def threshold():
        found = nearest_threshold(read_thresholds(folder), ways=2, shots=1)
        assert found.accepts(np.array([found.value])).all()

    kind = request.param
    if kind == "state.json" or kind == "manifest.json":
        save_checkpoint(
            folder.checkpoints,
            2,
            environment={"tensorflow": "2"},
            state={
                **{"step": 6, "epoch": 2, "finished": False, "epochs": [0, 1]},
                **{"history": {"loss": [1.0, 0.5]}, "callbacks": []},
            },
            arrays={"model.0": np.ones((2, 3), np.float32)},
            files={},
        )
        return checkpoint(folder, kind)
    if kind == "table.json":
        save_table(load("glyphs", split="test").take_classes([0, 1]), tmp_path / "t")
        header = tmp_path / "t" / "table.json"
        return Reader(
            header,
            json.loads(header.read_text()),
            lambda: open_table(tmp_path / "t").examples[:1],
        )
    folder.create(TrainConfig(epochs=2), {"tensorflow": "2"})
    rows = tmp_path / "rows" / "some.json"
    table = tmp_path / "own.json"
    return {
        "config.json": lambda: Reader(
            folder.config_file,
            json.loads(folder.config_file.read_text()),
            lambda: (folder.read_config().steps, folder.read_environment()),
        ),
        "classes.json": lambda: Reader(
            folder.classes_file,
            {"train": ["a", "b"], "validation": ["c"]},
            folder.seen_classes,
        ),
        "failure.json": lambda: Reader(
            folder.failure_file,
            {"failure": "loss is NaN", "finished_epochs": 3},
            lambda: folder.failure.upper(),
        ),
        "timing.json": lambda: Reader(
            folder.timing_file,
            {"training_seconds": 3.5},
            lambda: folder.training_seconds + 1.0,
        ),
        "history.json": lambda: Reader(
            folder.history_file,
            {name: [0.5, None, 0.25] for name in CURVES},
            lambda: history(folder),
        ),
        "metrics.json": lambda: versioned(metrics(folder), EVALUATION),
        "open_set.json": lambda: versioned(OpenSet().kept_in(folder), OPEN_SET),
        "threshold": lambda: Reader(
            folder.open_set_file,
            {"format_version": 3, "results": [OPEN_SET]},
            threshold,
        ),
        "lake.json": lambda: versioned(Lake().kept_in(folder), LAKE),
        "instances.json": lambda: versioned(Instances().kept_in(folder), INSTANCES),
        "tfmeta.json": lambda: Reader(
            tmp_path / "1" / "tfmeta.json",
            {
                **{"format_version": 1, "learner": "PrototypicalNetwork"},
                "example": {"shape": [28, 28, 1], "dtype": "uint8"},
                "signatures": {
                    "classify": {"inputs": {"support": {"shape": [None], "dtype": "x"}}}
                },
                "description": {"light_ground": True},
            },
            lambda: use_description(tmp_path / "1"),
        ),
        "own.json": lambda: Reader(
            table,
            TABLE,
            lambda: [f(read_result(table)) for f in (markdown, csv_text)],
        ),
        "a row": lambda: Reader(
            rows,
            ROW,
            lambda: load_table(rows.parent).rows[0].columns[0].label,
        ),
    }[kind]()


def use_description(folder):
    about = read_description(folder)
    about.get("description", {}).get("light_ground")
    _support_of(folder)
    picture_form(folder, about["example"])


FILES = [
    *("config.json", "classes.json", "failure.json", "timing.json", "history.json"),
    *("metrics.json", "open_set.json", "threshold", "lake.json", "tfmeta.json"),
    *(
        "instances.json",
        "manifest.json",
        "state.json",
        "table.json",
        "own.json",
        "a row",
    ),
]


def tried(reader):
    """Whether the file is read; it must be, or be named in one short line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            reader.read()
    except (ValueError, OSError) as error:
        said = str(error)
        assert any(name in said for name in (str(reader.path), str(reader.path.parent)))
        assert len(" ".join(said.split())) < 1200
        return False
    return True


@pytest.mark.parametrize("reader", FILES, indirect=True)
def test_values_of_other_types_are_refused_by_the_name_of_the_file(reader):
    reader.put(reader.path, text_of(reader.value))
    assert tried(reader)
    read = 0
    for value in changed_values(reader.value, seed=len(reader.path.name), count=COUNT):
        reader.put(reader.path, text_of(value))
        read += tried(reader)
    # Damage is mostly seen, unless nobody looks there.
    assert read < 0.7 * COUNT


@pytest.mark.parametrize("reader", FILES, indirect=True)
def test_files_that_hold_something_else_are_refused_by_name(reader):
    for content in WHOLE.values():
        reader.put(reader.path, content)
        assert not tried(reader) or content == b"{}"  # an empty history
    reader.path.unlink()
    reader.path.mkdir()
    assert not tried(reader)


def test_a_result_of_today_is_what_its_file_is_checked_against():
    """Fixtures above are what is written now."""
    for kind, value in (
        (EvaluationResult, EVALUATION),
        (OpenSetResult, OPEN_SET),
        (LakeResult, LAKE),
        (InstancesResult, INSTANCES),
    ):
        again = kind.from_json(value).to_json()
        assert set(value) <= set(again)
