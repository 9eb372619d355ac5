"""The `tfmeta` command inside the test process: quick, once TensorFlow is there."""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from coloured_photos import COLOURS, paint

from tfmeta.cli.main import main


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that bad input ends in."""
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        assert self.code == 2
        return line.removeprefix("Error: ")

    @property
    def usage_error(self) -> str:
        """The last line, when the arguments themselves are wrong."""
        *usage, line = self.err.splitlines()
        assert usage[0].startswith("Usage: tfmeta")
        assert line.startswith("Error: ")
        assert self.code == 2
        return line.removeprefix("Error: ")


@pytest.fixture
def call(
    glyphs_drawn_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> Callable[..., Outcome]:
    """Calls `tfmeta` with arguments, as its console script does."""
    for name in ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, "2"))

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["tfmeta", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err)

    return call


@pytest.fixture(scope="session")
def tiny_encoder(shared_folder: Path) -> Path:
    """From 8 x 8 pictures to the mean colours of their quarters."""
    import keras

    path = shared_folder / "tiny.keras"
    keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
        ]
    ).save(path)
    return path


@pytest.fixture(scope="session")
def tiny_text_encoder(shared_folder: Path) -> Path:
    """From texts to how often each of some words is in them."""
    import keras
    import numpy as np

    from tfmeta.layers import TermCounts

    path = shared_folder / "words.keras"
    words = ["\tpay", "\tbill", "\tship", "\tparcel", "\tmoney", "\tbox"]
    counts = TermCounts(words, np.ones(6), unknown_weight=1e-3, character_ngrams=None)
    keras.Sequential([keras.Input((), dtype="string"), counts]).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """`support`, 3 classes of 4, and `query` with 2 of each by class; 8 x 8 pixels."""
    for name, colour in COLOURS.items():
        paint(tmp_path / "support" / name, colour, 4, seed=0)
        paint(tmp_path / "query" / name, colour, 2, seed=1)
    return tmp_path
