"""The `tfmeta` command: its subcommands, and how errors are shown."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator

import click

from tfmeta._version import __version__
from tfmeta.cli.output import (
    accept_all_characters,
    flush_output,
    quiet_when_closed,
    say,
)
from tfmeta.extras import MissingExtraError

# A fault of the program itself, as in sysexits.h.
FAULT = 70
# What is raised of arguments, files and the machine.
_BY_INPUT = (ValueError, TypeError, OSError, MemoryError, MissingExtraError)

_COMMANDS = {
    "train": "Train a learner on episodes into a run folder.",
    "evaluate": "Measure a trained run on test episodes.",
    "compare": "Compare two trained runs on identical test episodes.",
    "reproduce": "Reproduce a published table row by row.",
    "export": "Write a run's SavedModel, ONNX or LiteRT files.",
    "expect": "Say how well classes of a few examples will be told apart.",
    "classify": "Classify pictures from a few labelled ones.",
    "gallery": "Enrol classes from a few examples, and keep them.",
    "serve": "Answer over HTTP, by a run, a gallery or a SavedModel.",
    "demo": "Teach classes by a few examples, in the browser.",
    "tasks": "Learn which tasks are alike, and start from the nearest.",
    "datasets": "List, import and describe data sets.",
}


class _LazyGroup(click.Group):
    """Imports a subcommand, and TensorFlow with it, only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"tfmeta.cli.{name}_command")
        return getattr(module, name)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfmeta")
def tfmeta() -> None:
    """Few-shot learning in Keras: train, evaluate, export, classify."""


def main() -> None:
    """Entry point: every error ends in one clear line, and an exit code.

    2 is bad input, 130 and 143 a signal, and 70 a fault of the program, whose traceback
    is in a file. With TFMETA_TRACEBACK=1 in the environment errors are raised.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    accept_all_characters()
    with quiet_when_closed(), _ended_in_order():
        _run()


def _run() -> None:
    try:
        tfmeta(prog_name="tfmeta", standalone_mode=False)
        flush_output()
    except BrokenPipeError:
        raise
    except click.ClickException as error:
        _show_click(error)
        sys.exit(error.exit_code)
    except click.Abort:
        say("Interrupted. What was saved is kept.", err=True)
        sys.exit(130)
    except _BY_INPUT as error:
        if os.environ.get("TFMETA_TRACEBACK"):
            raise
        _show(str(error) or type(error).__name__)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("TFMETA_TRACEBACK"):
            raise
        what = f"a fault of tfmeta, {type(error).__name__}: {error}"
        _show(f"{what}. {_kept_traceback()}")
        sys.exit(FAULT)


def _kept_traceback() -> str:
    """Writes the traceback to a file of its own, and says where."""
    try:
        handle, path = tempfile.mkstemp(prefix="tfmeta-traceback-", suffix=".txt")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"tfmeta {__version__}, {' '.join(sys.argv)}\n")
            traceback.print_exc(file=file)
    except OSError:
        return "TFMETA_TRACEBACK=1 in the environment shows where"
    return f"The traceback is in {path}"


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Lets other signals end it as Ctrl-C does: what is temporary goes with it."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has the first alone.
            # `nohup` has them ignored.
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: object) -> None:
    say("Terminated. What was saved is kept.", err=True)
    sys.exit(128 + number)


def _show_click(error: click.ClickException) -> None:
    """As click shows it, but for what was typed, which stays on its line."""
    if type(error).show not in (click.UsageError.show, click.ClickException.show):
        error.show()  # The help, where there is no command.
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        asked = f"{context.command_path} {context.help_option_names[0]}"
        click.echo(f"{context.get_usage()}\nTry '{asked}' for help.\n", err=True)
    _show(error.format_message())


def _show(message: str) -> None:
    """One line, whatever names are in it."""
    say(f"Error: {' '.join(message.split())}", err=True)


if __name__ == "__main__":
    main()
