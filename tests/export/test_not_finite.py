"""No model is served whose weights or answers are no numbers."""

import keras
import numpy as np
import pytest

from tfmeta import export
from tfmeta.classifying.saved_model import ask_saved_model, check_probabilities
from tfmeta.encoders import Conv4
from tfmeta.learners import MAML, PrototypicalNetwork
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


def dense(bias="zeros"):
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, bias_initializer=bias)]
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [PrototypicalNetwork, lambda e: MAML(e, ways=3)])
def test_weights_are_counted_and_named(tmp_path, make, value):
    learner = make(Conv4((8, 8, 1), filters=4, blocks=2))
    for variable in learner.encoder.trainable_variables[:2]:
        variable.assign(np.full(variable.shape, value))
    first = learner.encoder.trainable_variables[0]
    with pytest.raises(ValueError) as raised:
        export.save(learner, tmp_path / "m")
    count = len(learner.variables)
    assert f"NaN or infinity in 2 of {count} tensors, the first " in str(raised.value)
    assert f"{first.path} with {np.prod(first.shape)} such" in str(raised.value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("make", [PrototypicalNetwork, lambda e: MAML(e, ways=3)])
def test_answers_of_finite_weights_are_tried(tmp_path, make):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3)(keras.ops.log(inputs - 2.0))
    with pytest.raises(ValueError, match=r"\d+ of \d+ that are NaN or infinite in"):
        export.save(make(keras.Model(inputs, outputs)), tmp_path / "m")
    assert not list((tmp_path / "m").glob("[0-9]*"))


def test_a_description_is_json(tmp_path):
    with pytest.raises(TypeError, match=r"accuracy\[1\]|`description` must"):
        export.save(
            PrototypicalNetwork(dense()),
            tmp_path / "m",
            description={"accuracy": [0.5, float("nan")]},
        )


def spoil(run):
    """Puts NaN into the kept learner of a run, as a former version left it."""
    folder = RunFolder(run)
    learner = load_learner(folder)
    kernel = learner.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    learner.save(folder.learner_file)
    return folder


@pytest.mark.parametrize("command", ["export", "evaluate"])
def test_the_commands_say_it_in_one_line(run_copy, monkeypatch, capsys, command):
    from tfmeta.cli import main as cli

    folder = spoil(run_copy)
    before = folder.metrics_file.read_bytes()
    monkeypatch.setattr("sys.argv", ["tfmeta", command, str(run_copy)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in said if line.startswith("Error: ")]) == 1
    assert "must have finite weights. Received: NaN or infinity in 1 of" in said[-1]
    assert folder.metrics_file.read_bytes() == before
    assert [p.name for p in folder.saved_model.glob("[!.]*")] == ["1"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pictures_without_an_answer_are_counted(bad):
    probabilities = np.full((5, 3), 1 / 3, np.float32)
    check_probabilities(probabilities, "models/a/1")
    probabilities[[1, 4], 0] = bad
    with pytest.raises(ValueError, match="models/a/1 must .* others for 2 of 5 quer"):
        check_probabilities(probabilities, "models/a/1")


def test_a_served_model_with_weights_that_are_none(tmp_path, monkeypatch):
    # Exported as a former version would have.
    monkeypatch.setattr(export.saved_model, "check_finite_weights", lambda *_: None)
    monkeypatch.setattr(export.saved_model.Trials, "check_answers", lambda *_: None)
    learner = PrototypicalNetwork(Conv4((8, 8, 1), filters=4, blocks=2))
    kernel = learner.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    folder = export.save(learner, tmp_path / "m")
    pictures = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 1), np.uint8)
    with pytest.raises(ValueError, match="must have finite weights"):
        ask_saved_model(folder, pictures[:2], np.array([0, 1], np.int32), pictures)
