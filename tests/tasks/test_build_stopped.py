"""`tfmeta tasks build` that is stopped goes on, to the same library bit for bit."""

import os
import signal
import subprocess
import sys
import time

import keras
import pytest
from same_library import check_same

from tfmeta.tasks import TaskLibrary
from tfmeta.tasks.kept_parts import number_of_parts, parts_folder

TASKS = ("--tasks", "300", "--ways", "3", "--shots", "2", "--queries", "3")


def started(place, library):
    encoder = place / "encoder.keras"
    words = ["tasks", "build", str(library), *TASKS, "--encoder", str(encoder)]
    return subprocess.Popen(
        [sys.executable, "-m", "tfmeta.cli.main", *words],
        cwd=place,
        env={**os.environ, "TFMETA_DATA_DIR": str(place / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_build_that_was_stopped_goes_on(tmp_path):
    keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
        ]
    ).save(tmp_path / "encoder.keras")
    library, whole = tmp_path / "library", tmp_path / "whole"
    kept = 0
    # The start; then networks, the last of them fewer; then distances.
    for number, parts in (
        (signal.SIGINT, 1),
        (signal.SIGTERM, 2),
        (signal.SIGKILL, 4),
    ):
        program = started(tmp_path, library)
        while number_of_parts(library) < parts:
            assert program.poll() is None, program.communicate()
            time.sleep(0.01)
        program.send_signal(number)
        _, said = program.communicate()
        assert not library.exists()
        assert number_of_parts(library) >= parts > kept
        kept = parts
        if number == signal.SIGKILL:
            assert program.returncode == -number
            continue
        assert program.returncode == 128 + number, said
        (line,) = [line for line in said.splitlines() if "Kept: " in line]
        assert str(parts_folder(library)) in line
        assert "the same command goes on from there" in line
    for place in (library, whole):
        program = started(tmp_path, place)
        _, said = program.communicate()
        assert program.returncode == 0, said
        assert ("of a build that was stopped" in said) == (place == library)
        assert not parts_folder(place).exists()
    with TaskLibrary.load(library) as one, TaskLibrary.load(whole) as other:
        check_same(one, other)
