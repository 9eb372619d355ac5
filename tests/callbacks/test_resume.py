import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.callbacks import Resume

sys.path.insert(0, str(Path(__file__).parent))
from training_script import (  # noqa: E402
    STEPS,
    build_callbacks,
    build_model,
    training_data,
    validation_data,
)

SCRIPT = Path(__file__).with_name("training_script.py")
EPOCHS = 30


# A run in processes of its own, killed and resumed.


def start(folder: Path, *options: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *options],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def train(folder: Path, *options: str) -> None:
    process = start(folder, *options)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def epochs_saved(folder: Path) -> int:
    names = [path.name for path in folder.glob("checkpoints/checkpoint-*")]
    return max((int(name.rpartition("-")[2]) for name in names), default=0)


def kill_at_random(folder: Path, generator: random.Random) -> None:
    """SIGKILL from outside, up to two epochs after the first save."""
    before = epochs_saved(folder)
    process = start(folder, "--epochs", str(EPOCHS), "--pause")
    while epochs_saved(folder) == before and process.poll() is None:
        time.sleep(0.005)
    time.sleep(generator.uniform(0, 0.25))
    process.kill()
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors


def kill_in_save(folder: Path, generator: random.Random, operations: range) -> None:
    """SIGKILL at one of the file operations of the second save from here."""
    before = epochs_saved(folder)
    operation = generator.choice(operations)
    process = start(
        *(folder, "--epochs", str(EPOCHS)),
        *("--kill-in-save", "2", str(operation)),
    )
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    # The save was begun, so no more than its own epoch is lost.
    assert epochs_saved(folder) in (before + 1, before + 2)


def assert_same_result(folder: Path, expected: Path) -> None:
    assert (folder / "result.json").read_text() == (
        expected / "result.json"
    ).read_text()
    with (
        np.load(folder / "result.npz") as found,
        np.load(expected / "result.npz") as wanted,
    ):
        assert found.files == wanted.files
        for name in wanted.files:
            assert found[name].dtype == wanted[name].dtype
            assert found[name].tobytes() == wanted[name].tobytes(), name
    # Keras writes the same bytes for the same weights.
    best = "best.weights.h5"
    assert (folder / best).read_bytes() == (expected / best).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again_ends_as_if_never_stopped(tmp_path):
    expected, folder = tmp_path / "expected", tmp_path / "killed"
    train(expected, "--epochs", str(EPOCHS))
    result = json.loads((expected / "result.json").read_text())
    assert result["step"] == EPOCHS * STEPS
    # The run is one in which every part of the state matters.
    assert len(set(result["history"]["learning_rate"])) > 2
    assert result["callbacks"][2]["best_epoch"] < EPOCHS - 1

    generator = random.Random(2024)
    train(folder, "--epochs", "2")
    kill_at_random(folder, generator)
    kill_in_save(folder, generator, range(1, 15))
    kill_at_random(folder, generator)
    kill_in_save(folder, generator, range(15, 30))
    kill_at_random(folder, generator)
    assert 2 < epochs_saved(folder) < EPOCHS
    train(folder, "--epochs", str(EPOCHS))
    assert_same_result(folder, expected)


# Runs in this process.


def fit(model, callbacks, resume, epochs, **options):
    return model.fit(
        training_data(resume.step),
        validation_data=validation_data(),
        initial_epoch=resume.initial_epoch,
        epochs=epochs,
        steps_per_epoch=STEPS,
        callbacks=[*callbacks, resume],
        shuffle=False,
        verbose=0,
        **options,
    )


def variables(model) -> list[bytes]:
    all_variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v).tobytes() for v in all_variables]


def run(folder, stops, build, build_callbacks=build_callbacks):
    """Trains up to each of `stops` with everything built anew each time."""
    folder.mkdir()
    for index, epochs in enumerate(stops):
        model, callbacks = build(index), build_callbacks(folder)
        resume = Resume(folder / "checkpoints", callbacks)
        assert resume.restore(model) == (index > 0)
        history = fit(model, callbacks, resume, epochs)
    return model, callbacks, resume, history


def adam_with_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 25)
    return keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0)


def averaged_sgd():
    return keras.optimizers.SGD(
        0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=7
    )


def scaled_and_accumulated():
    inner = keras.optimizers.Adam(0.05, gradient_accumulation_steps=3)
    return keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=4)


@pytest.mark.parametrize(
    "optimizer, options",
    [
        (adam_with_schedule, {}),
        (averaged_sgd, {"steps_per_execution": 2}),
        (averaged_sgd, {"jit_compile": True}),
        (scaled_and_accumulated, {}),
    ],
)
def test_the_whole_optimizer_is_resumed(tmp_path, optimizer, options):
    def build(seed):
        model = build_model(seed, optimizer())
        model.compile(**{**model.get_compile_config(), **options, "loss": model.loss})
        return model

    def no_plateau(folder):
        # It refuses learning-rate schedules.
        return [build_callbacks(folder)[i] for i in (0, 2)]

    whole = run(tmp_path / "whole", [5], build, no_plateau)
    parts = run(tmp_path / "parts", [2, 3, 5], build, no_plateau)
    assert variables(parts[0]) == variables(whole[0])
    assert parts[3].history == whole[3].history
    assert parts[3].epoch == whole[3].epoch
    assert parts[2].step == whole[2].step
    best = [tmp_path / name / "best.weights.h5" for name in ("whole", "parts")]
    assert best[0].read_bytes() == best[1].read_bytes()
