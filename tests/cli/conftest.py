"""The `tfmeta` command inside the test process: quick, once TensorFlow is there."""

import dataclasses
import os
import sys
from collections.abc import Callable

import pytest

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
