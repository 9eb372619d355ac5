"""A run in processes of its own, killed and resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from training_script import STEPS

SCRIPT = Path(__file__).with_name("training_script.py")
EPOCHS = 30


def start(folder: Path, *options: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *options],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, returncode: int = 0) -> None:
    _, errors = process.communicate()
    assert process.returncode == returncode, errors


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
    finish(process, -signal.SIGKILL)


def kill_in_save(folder: Path, generator: random.Random, operations: range) -> None:
    """SIGKILL at one of the file operations of the second save from here."""
    before = epochs_saved(folder)
    operation = generator.choice(operations)
    process = start(
        *(folder, "--epochs", str(EPOCHS)),
        *("--kill-in-save", "2", str(operation)),
    )
    finish(process, -signal.SIGKILL)
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again_ends_as_if_never_stopped(tmp_path):
    expected, folder = tmp_path / "expected", tmp_path / "killed"
    whole = start(expected, "--epochs", str(EPOCHS))
    generator = random.Random(2024)
    kill_at_random(folder, generator)
    finish(whole)
    result = json.loads((expected / "result.json").read_text())
    assert result["step"] == EPOCHS * STEPS
    # The run is one in which every part of the state matters.
    assert len(set(result["history"]["learning_rate"])) > 2
    assert result["callbacks"][2]["best_epoch"] < EPOCHS - 1

    kill_in_save(folder, generator, range(1, 15))
    kill_at_random(folder, generator)
    kill_in_save(folder, generator, range(15, 30))
    kill_at_random(folder, generator)
    assert 5 <= epochs_saved(folder) < EPOCHS
    finish(start(folder, "--epochs", str(EPOCHS)))
    assert_same_result(folder, expected)
