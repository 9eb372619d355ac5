"""A run whose training fails keeps the best epoch before, and never says otherwise."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest

from tfmeta.callbacks import NonFiniteTrainingError
from tfmeta.callbacks.checkpoint_folder import load_checkpoint
from tfmeta.cli.train_job import run_training
from tfmeta.json_files import read_json
from tfmeta.reproduction.collect import collect
from tfmeta.reproduction.measure import train_row
from tfmeta.reproduction.row import Row
from tfmeta.reproduction.table import ReproductionTable
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")

CONFIG = TrainConfig().with_options(
    dict(
        epochs=4,
        steps_per_epoch=2,
        filters=4,
        train_ways=5,
        train_queries=2,
        queries=2,
        validation_episodes=8,
    )
)


class Spoils(keras.callbacks.Callback):
    """Stands for an update that overflowed, after a step counted from 0."""

    def __init__(self, step, value=math.nan):
        super().__init__()
        self.step, self.value, self.epoch = step, value, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch * self.params["steps"] + batch == self.step:
            kernel = self.model.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, self.value))


def all_finite(folder):
    arrays = load_checkpoint(folder.checkpoints).arrays.values()
    return all(np.isfinite(array).all() for array in arrays)


@pytest.fixture
def failed(tmp_path):
    """A run that failed in its third epoch."""
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(NonFiniteTrainingError) as raised:
        train(CONFIG, folder, callbacks=[Spoils(2 * 2)])
    return folder, str(raised.value)


def test_the_best_epoch_before_is_kept(failed):
    folder, message = failed
    assert "in step 6 (epoch 3 of 4, its step 2)" in message or (
        "after step 6 (epoch 3 of 4, its step 2)" in message
    )
    assert "Likely: the learning rate, " in message
    kept = f"The best of the 2 epochs before it is kept in {folder.learner_file}"
    assert kept in message
    learner = load_learner(folder)
    variables = [*learner.variables, *learner.optimizer.variables]
    assert all(np.isfinite(v.numpy()).all() for v in variables)
    assert all_finite(folder)
    history = read_json(folder.history_file)
    assert [len(values) for values in history.values()] == [2] * len(history)
    # The weights are those of the best of the two.
    learner.load_weights(folder.best_weights)
    for ours, theirs in zip(
        load_learner(folder).get_weights(), learner.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert not folder.is_trained and folder.failure in message


@pytest.mark.slow
def test_resuming_tries_again_from_the_checkpoint(failed, tmp_path):
    folder, _ = failed
    with pytest.raises(NonFiniteTrainingError, match="epoch 3 of 4"):
        train(CONFIG, folder, resume=True, callbacks=[Spoils(2 * 2)])
    assert all_finite(folder) and not folder.is_trained
    # What caused it is gone: the run ends as if nothing had been.
    learner = train(CONFIG, folder, resume=True)
    assert folder.is_trained and folder.failure is None
    straight = train(CONFIG, RunFolder(tmp_path / "straight"))
    for ours, theirs in zip(learner.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    history = read_json(folder.history_file)
    assert history == read_json(RunFolder(tmp_path / "straight").history_file)


def test_without_an_epoch_before_there_is_no_learner(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(NonFiniteTrainingError, match="so there is no learner"):
        train(CONFIG, folder, callbacks=[Spoils(0)])
    assert not folder.learner_file.exists() and not folder.best_weights.exists()
    assert load_checkpoint(folder.checkpoints) is None
    with pytest.raises(FileNotFoundError, match="training has not ended"):
        load_learner(folder)


@pytest.mark.parametrize(
    "learner", [pytest.param("maml", marks=pytest.mark.slow), "baseline"]
)
def test_a_learning_rate_that_is_far_too_high(tmp_path, learner):
    config = dataclasses.replace(
        CONFIG, learner=learner, learning_rate=1e18, batch_size=16, epochs=1
    )
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(NonFiniteTrainingError, match=r"learning rate, 1e\+18"):
        train(config, folder)
    assert not folder.is_trained


def test_nothing_is_measured_or_exported_of_a_failed_training(tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    config = dataclasses.replace(CONFIG, learning_rate=1e18)
    with pytest.raises(ValueError, match="training in .* failed: "):
        run_training(
            config, folder.path, resume=False, test_episodes_count=600, data_dir=None
        )
    assert not folder.metrics_file.exists() and not folder.saved_model.exists()
    for path in folder.path.rglob("*.json"):
        # Any other reader of JSON agrees.
        json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)


def test_a_history_with_a_gap_is_json_and_is_drawn(tmp_path, monkeypatch):
    from tfmeta.callbacks import stop_at_non_finite
    from tfmeta.runs.pictures import draw_curve

    original = stop_at_non_finite.StopAtNonFinite.on_epoch_end

    def without_a_loss_first(self, epoch, logs=None):
        if epoch == 0:
            logs["val_loss"], logs["val_accuracy"] = math.nan, 0.99
        original(self, epoch, logs)

    monkeypatch.setattr(
        stop_at_non_finite.StopAtNonFinite, "on_epoch_end", without_a_loss_first
    )
    folder = RunFolder(tmp_path / "run")
    train(CONFIG, folder)
    history = json.loads(folder.history_file.read_text(), parse_constant=pytest.fail)
    assert history["val_accuracy"][0] is None and history["val_loss"][0] is None
    assert all(isinstance(v, float) for v in history["val_accuracy"][1:])
    # The epoch with 0.99 was not taken for the best.
    state = load_checkpoint(folder.checkpoints).state["callbacks"][0]["state"]
    assert state["best"] == max(history["val_accuracy"][1:])
    draw_curve(history, CONFIG, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").is_file()


def test_no_finite_validation_at_all_is_a_failure(tmp_path, monkeypatch):
    from tfmeta.callbacks import stop_at_non_finite

    def void(self, epoch, logs=None):
        logs["val_accuracy"] = math.nan

    monkeypatch.setattr(stop_at_non_finite.StopAtNonFinite, "on_epoch_end", void)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(NonFiniteTrainingError, match="finite figures after some epoch"):
        train(CONFIG, folder)
    assert not folder.learner_file.exists()


@pytest.mark.slow
def test_a_row_whose_training_failed_has_no_figure(tmp_path):
    values = CONFIG.to_json()
    del values["seed"]
    row = Row.from_json(
        "some",
        {
            "title": "T",
            "paper": {"authors": "A", "year": 2017, "title": "N"},
            "config": {**values, "learning_rate": 1e18},
            "columns": [{"queries": 2, "published": {"percent": 98.8, "source": "t"}}],
        },
    )
    folder = RunFolder(tmp_path / row.folder_name())
    for _ in range(2):  # also when it is asked for again
        with pytest.raises(NonFiniteTrainingError):
            train_row(row, folder)
    content = collect(
        ReproductionTable("own", (row,)), tmp_path, test_episodes=600, command="c"
    )
    assert content["rows"][0]["runs"] == []
    assert "some-seed0 is left out: its training failed: " in content["left_out"][0]
