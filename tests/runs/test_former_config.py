"""Configurations of format version 1, which were flat."""

import json

import keras
import numpy as np
import pytest

from tfmeta.runs.columns import COLUMNS
from tfmeta.runs.config import TrainConfig, options
from tfmeta.runs.former_config import from_flat
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.run_folder import FORMAT_VERSION, RunFolder
from tfmeta.runs.train import load_learner, train

# As `tfmeta train` wrote it.
FLAT = {
    "dataset": "omniglot",
    "protocol": "lake",
    "size": None,
    "same_group": True,
    "seed": 7,
    "learner": "semi_supervised_prototypical",
    "learner_arguments": {"refinement": "soft_k_means"},
    "encoder": None,
    "filters": 32,
    "characters": False,
    "dtype_policy": "float32",
    "train_ways": 60,
    "train_shots": [1, 5],
    "train_queries": 6,
    "train_tasks": 2,
    "batch_size": 128,
    "ways": 20,
    "shots": 2,
    "queries": 14,
    "unlabelled": 3,
    "distractors": 4,
    "validation_episodes": 100,
    "epochs": 20,
    "steps_per_epoch": 500,
    "learning_rate": 0.001,
    "augment": True,
}


def flat_of(config):
    """What version 1 wrote of a configuration."""
    values = config.to_json()
    training, task = values.pop("training"), values.pop("validation")
    assert values.pop("test") == task
    values |= task
    values |= {f"train_{n}": training[n] for n in ("ways", "shots", "queries")}
    return {name: values[name] for name in FLAT}


def test_every_value_comes_to_its_place():
    config = TrainConfig.from_json(from_flat(FLAT))
    same_names = {name: value for name, value in FLAT.items() if name != "train_shots"}
    assert config == TrainConfig().with_options({**same_names, "train_shots": (1, 5)})
    assert json.loads(json.dumps(flat_of(config))) == FLAT
    # Today's form has all of it, and what has come since is said here.
    today = {place.name for place in options()} | {"characters"}
    of_tasks = {"task_column", "target_column", "feature_column", "task_arguments"}
    assert set(FLAT) == today - {"skip_bad", *COLUMNS, *of_tasks}


def test_what_was_left_out_is_the_default():
    assert TrainConfig.from_json(from_flat({})) == TrainConfig()
    config = TrainConfig.from_json(from_flat({"train_ways": 7, "shots": 3}))
    assert config == TrainConfig().with_options({"train_ways": 7, "shots": 3})


def test_what_is_unknown_stays_to_be_refused():
    with pytest.raises(ValueError, match="Received: warmth"):
        TrainConfig.from_json(from_flat({**FLAT, "warmth": 1}))
    for values in ([], None, 3):
        with pytest.raises(ValueError, match="a run's configuration has the keys"):
            TrainConfig.from_json(from_flat(values))


def write_as_before(folder):
    """Puts a run's configuration into the form of version 1."""
    header = json.loads(folder.config_file.read_text())
    assert header["format_version"] == FORMAT_VERSION == 2
    header |= {"format_version": 1, "config": flat_of(folder.read_config())}
    folder.config_file.write_text(json.dumps(header))


def test_a_run_of_before_is_the_same_run(run_copy, glyphs_run):
    today, former = RunFolder(glyphs_run), RunFolder(run_copy)
    write_as_before(former)
    config = former.read_config()
    assert config == today.read_config()
    (kept,) = read_results(today)
    found = evaluate_run(
        former,
        load_learner(former),
        draw_test_episodes(config),
        num_episodes=600,
        keep=False,
    )
    assert found.protocol == kept.protocol


class StopAfterAnEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.usefixtures("glyphs_drawn_once")
def test_a_run_of_before_goes_on_bit_for_bit(tmp_path):
    config = TrainConfig().with_options(
        {
            **{"filters": 4, "train_ways": 5, "train_queries": 2, "queries": 2},
            **{"epochs": 2, "steps_per_epoch": 3, "validation_episodes": 4},
            **{"train_shots": (1, 2), "seed": 3, "same_group": True},
        }
    )
    whole = train(config, RunFolder(tmp_path / "whole"))
    stopped = RunFolder(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        train(config, stopped, callbacks=[StopAfterAnEpoch()])
    write_as_before(stopped)
    before = stopped.config_file.read_bytes()
    learner = train(config, stopped, resume=True)
    pairs = zip(whole.get_weights(), learner.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert stopped.config_file.read_bytes() == before
    with pytest.raises(ValueError, match="`train_ways` must stay.*5. Received:.*=6"):
        train(config.with_options({"train_ways": 6}), stopped, resume=True)
