import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
import time

import click
import pytest

import tfmeta.cli.main
from tfmeta import __version__

COMMANDS = ["train", "evaluate", "export", "expect", "classify"]
COMMANDS += ["gallery", "datasets"]

HEAVY = ("tensorflow", "keras", "rich", "matplotlib", "tensorflow_datasets")
HELP = f"""
import sys
sys.argv = ["tfmeta", *sys.argv[1:]]
from tfmeta.cli.main import main
main()
print("imported:", [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("train",), ("evaluate",), ("datasets", "import")),
        *(("expect",), ("gallery",), ("gallery", "enrol")),
    ],
    ids=" ".join,
)
def test_help_does_not_wait_for_tensorflow(arguments):
    done = subprocess.run(
        [sys.executable, "-c", HELP, *arguments, "--help"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(" ".join(["Usage: tfmeta", *arguments]))
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_the_console_script_is_this_command():
    (script,) = importlib.metadata.distribution("tfmeta").entry_points.select(
        group="console_scripts", name="tfmeta"
    )
    assert script.load() is tfmeta.cli.main.main


def test_help_names_the_commands(call):
    done = call("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.out
        help_of_it = call(name, "-h")
        assert help_of_it.code == 0
        assert f"Usage: tfmeta {name}" in help_of_it.out


def test_version(call):
    assert call("--version").out.strip() == f"tfmeta, version {__version__}"


def test_no_command_shows_the_help(call):
    done = call()
    assert done.code == 2
    assert "classify" in done.err


def test_unknown_commands_and_options(call):
    assert "No such command 'fly'" in call("fly").usage_error
    assert "No such option '--fly'" in call("train", "--fly").usage_error
    assert "Missing argument 'RUN...'" in call("evaluate").usage_error


def raising(error):
    @click.command()
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ValueError("`ways` must\n  be 2.\nReceived: 1"),
            "`ways` must be 2. Received: 1",
        ),
        (TypeError("no int"), "no int"),
        (
            FileNotFoundError(2, "No such file", "a.json"),
            "[Errno 2] No such file: 'a.json'",
        ),
        (ValueError(), "ValueError"),
    ],
)
def test_bad_input_ends_in_one_line(call, monkeypatch, error, line):
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", raising(error))
    assert call().error == line


def test_the_traceback_is_there_when_asked_for(call, monkeypatch):
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", raising(ValueError("no")))
    monkeypatch.setenv("TFMETA_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no"):
        call()


def test_a_fault_of_the_program_is_one_line_and_its_traceback_a_file(
    call, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", raising(KeyError("shape")))
    done = call()
    (file,) = tmp_path.iterdir()
    assert (done.code, done.out) == (tfmeta.cli.main.FAULT, "")
    assert done.err == (
        f"Error: a fault of tfmeta, KeyError: 'shape'. The traceback is in {file}\n"
    )
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"tfmeta {__version__}, tfmeta\nTraceback")
    assert text.endswith("KeyError: 'shape'\n")


def test_a_traceback_that_cannot_be_kept_is_not_shown_either(
    call, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", raising(KeyError("shape")))
    assert call().err == (
        "Error: a fault of tfmeta, KeyError: 'shape'. TFMETA_TRACEBACK=1 in the "
        "environment shows where\n"
    )


def test_sigterm_ends_it_in_order(call, monkeypatch, tmp_path):
    @click.command()
    def command():
        with tempfile.TemporaryDirectory(dir=tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", command)
    done = call()
    assert (done.code, done.err) == (143, "Terminated. What was saved is kept.\n")
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupted(call, monkeypatch):
    monkeypatch.setattr(tfmeta.cli.main, "tfmeta", raising(KeyboardInterrupt()))
    done = call()
    assert done.code == 130
    assert done.err.strip() == "Interrupted. What was saved is kept."
