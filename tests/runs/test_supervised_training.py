"""Runs of learners that train on plain batches instead of episodes."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from matplotlib.axes import Axes

from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config
from tfmeta.runs.pictures import draw_curve
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_training
from tfmeta.runs.train import load_learner, train
from tfmeta.runs.training_data import (
    open_training,
    validation_episodes,
)

CONFIG = TrainConfig().with_options(
    dict(
        learner="baseline_plus_plus",
        learner_arguments={"head_steps": 5, "scale": 10.0},
        filters=4,
        batch_size=20,
        shots=2,
        queries=3,
        validation_episodes=4,
        epochs=4,
        steps_per_epoch=3,
        augment=True,
        seed=3,
    )
)


@pytest.fixture(scope="module")
def tables(draw_glyphs_once):
    """Few classes of glyphs, so that an epoch of the table ends within the run."""
    return {
        "train": draw_glyphs_once("train").take_classes(range(7)),
        "validation": draw_glyphs_once("validation").take_classes(range(10)),
    }


@pytest.fixture
def few_glyphs(tables, monkeypatch):
    monkeypatch.setattr(
        "tfmeta.runs.plan.load_split", lambda config, split, data_dir: tables[split]
    )


class StopAfter(keras.callbacks.Callback):
    """Ctrl-C after some training steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def weights(learner):
    variables = (*learner.weights, *learner.optimizer.variables)
    return [w.value.numpy().tobytes() for w in variables]


@pytest.mark.slow
def test_stopped_and_resumed_it_ends_as_if_never_stopped(few_glyphs, tmp_path):
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    expected = train(CONFIG, whole)
    assert expected.base_classes == 7
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, parts, callbacks=[StopAfter(8)])
    assert not parts.learner_file.exists()
    learner = train(CONFIG, parts, resume=True)
    assert weights(learner) == weights(expected)
    history = parts.history_file.read_bytes()
    assert history == whole.history_file.read_bytes()
    assert {name: len(values) for name, values in json.loads(history).items()} == {
        **{"loss": 4, "accuracy": 4},
        **{"val_loss": 4, "val_accuracy": 4},
    }
    assert weights(load_learner(parts)) == weights(expected)


def test_batches_are_augmented_and_start_anywhere(tables):
    validation, _ = validation_episodes(CONFIG, tables["validation"])
    batches = open_training(CONFIG, tables["train"], validation)
    first = [x.numpy() for x, _ in batches(0).take(9)]
    assert {x.shape for x in first} == {(20, 28, 28, 1)}
    rest = [x.numpy() for x, _ in batches(6).take(3)]
    np.testing.assert_array_equal(rest, first[6:])
    plain = dataclasses.replace(CONFIG, augment=False)
    undistorted = [
        x.numpy()
        for x, _ in open_training(plain, tables["train"], validation)(0).take(9)
    ]
    rows = {x.tobytes() for x in tables["train"].examples}
    assert {x.tobytes() for batch in undistorted for x in batch} <= rows
    assert not {x.tobytes() for batch in first for x in batch} <= rows


def test_classes_in_training_and_validation_are_refused(tables):
    validation, _ = validation_episodes(CONFIG, tables["validation"])
    with pytest.raises(ValueError, match="disjoint in their classes.*10 shared"):
        open_training(CONFIG, tables["validation"], validation)


def test_too_large_a_batch_is_refused(few_glyphs, tmp_path):
    config = dataclasses.replace(CONFIG, batch_size=141)
    with pytest.raises(ValueError, match="`batch_size`.*140.*batch_size=141"):
        train(config, RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_base_classes_follow_from_the_data(tables):
    config = dataclasses.replace(CONFIG, learner_arguments={"base_classes": 3})
    with pytest.raises(ValueError, match="`learner_arguments`.*base_classes"):
        build_learner(config, tables["train"])
    # Each rotation of a character is a class to be told from the others.
    table = tables["train"].with_rotations()
    assert build_learner(CONFIG, table).base_head.units == 28


def test_what_is_printed_is_what_is_trained(tables):
    assert describe_training(CONFIG, tables["train"]) == "7 classes, batches of 20"
    assert describe_training(CONFIG, None) == "batches of 20"
    assert describe_training(TrainConfig(), None) == "40-way 1-shot"


def test_the_curve_names_batches(tmp_path, monkeypatch):
    labels = []
    plot = Axes.plot

    def recorded(axes, *values, label, **options):
        labels.append(label)
        return plot(axes, *values, label=label, **options)

    monkeypatch.setattr(Axes, "plot", recorded)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    draw_curve(dict.fromkeys(names, [0.5, 0.6]), CONFIG, tmp_path / "curve.png")
    assert labels == ["training, batches of 20", "validation, 5-way 2-shot"] * 2


@pytest.mark.parametrize(
    ("learner", "name"),
    [
        ("baseline", "train_ways"),
        ("baseline_plus_plus", "train_tasks"),
        ("prototypical", "batch_size"),
    ],
)
def test_options_of_the_other_sort_are_refused(learner, name):
    with pytest.raises(ValueError, match=f"`{name}` must be left out.*{learner}"):
        default_config("glyphs", {"learner": learner, name: 5})
