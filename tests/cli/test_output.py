"""Closed pipes, terminals of few characters, names that are markup or several lines."""

import io
import os
import subprocess
import sys

import pytest

from tfmeta.callbacks import TrainingProgress
from tfmeta.cli.output import accept_all_characters, say
from tfmeta.cli.train_job import _say_what_is_there
from tfmeta.console import Console
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder

COMMAND = (sys.executable, "-m", "tfmeta.cli.main")


@pytest.mark.parametrize(
    "arguments",
    [("datasets", "list"), ("train", "--help"), ("reproduce", "--list"), ("fly",)],
    ids=" ".join,
)
def test_a_closed_pipe_ends_quietly(arguments):
    nobody, pipe = os.pipe()
    os.close(nobody)
    errors = subprocess.PIPE if arguments != ("fly",) else pipe
    done = subprocess.run([*COMMAND, *arguments], stdout=pipe, stderr=errors)
    os.close(pipe)
    assert done.returncode == 1
    assert not done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_is_an_error_like_others():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "datasets", "list"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: [Errno 28]")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_can_be_written(monkeypatch, encoding):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    accept_all_characters()
    text = "98.1 % ± 0.3, goal ≥ 97 …, 字 é \udcff"
    say(text)
    Console().say(text)
    progress = TrainingProgress(validation="[b]字")
    progress.set_params({"epochs": 1})
    progress.on_epoch_end(0, {"val_loss": 0.5})
    stdout.flush()
    lines = stdout.buffer.getvalue().decode(encoding).splitlines()
    shown = {
        "ascii": r"98.1 % +/- 0.3, goal >= 97 ..., \u5b57 \xe9 \xff",
        "latin-1": r"98.1 % ± 0.3, goal >= 97 ..., \u5b57 é \xff",
        "utf-8": r"98.1 % ± 0.3, goal ≥ 97 …, 字 é \xff",
    }[encoding]
    character = "字" if encoding == "utf-8" else r"\u5b57"
    assert lines == [
        *(shown, shown),
        f"epoch 1/1: validation on [b]{character}: loss 0.5000",
    ]


@pytest.mark.parametrize(
    ("name", "shown", "word"),
    [
        ("run[red]1", "run[red]1", "'{}/run[red]1'"),
        ("run[/x]", "run[/x]", "'{}/run[/x]'"),
        ("my run", "my run", "'{}/my run'"),
        ("it's", "it's", """'{}/it'"'"'s'"""),
        ("a\nThe run is in b", r"a\nThe run is in b", r"$'{}/a\nThe run is in b'"),
        ("a\x1b[2J", r"a\x1b[2J", r"$'{}/a\x1b[2J'"),
    ],
)
def test_the_folder_of_a_run_is_named_as_it_is(tmp_path, name, shown, word):
    folder = RunFolder(tmp_path / name)
    folder.create(TrainConfig(), {})
    console = Console(file=io.StringIO())
    _say_what_is_there(console, folder)
    text = console.file.getvalue()
    assert f"\nThe run is in {tmp_path}/{shown}:\n" in text
    command = f"tfmeta evaluate {word.format(tmp_path)} --realistic"
    assert f"\n  {command}\n" in text
    # Pasted into a shell it is this very folder.
    pasted = command.replace("tfmeta evaluate", "printf %s").replace("--realistic", "")
    done = subprocess.run(["bash", "-c", pasted], capture_output=True, text=True)
    assert done.stdout == str(folder.path)
