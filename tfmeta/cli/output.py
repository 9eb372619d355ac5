"""What the command writes to: terminals of few characters, pipes that are closed."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from tfmeta.printable import one_line, printable

# As click, rich and Python's own documentation have it.
CLOSED_PIPE = 1

_SPELT = {
    **{"±": "+/-", "≥": ">=", "≤": "<=", "→": "->", "…": "...", "×": "x"},
    **{"–": "-", "—": "-", "·": "*", "’": "'", "‘": "'", "“": '"', "”": '"'},
}


def _spell(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the output has not: others, or an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SPELT.get(c) or _escape(c) for c in missing), error.end


def _escape(character: str) -> str:
    shown = printable(character)
    if shown.isascii():
        return shown
    return character.encode("ascii", "backslashreplace").decode("ascii")


def say(*lines: str, err: bool = False) -> None:
    """As `Console.say`, for commands that need not wait for rich."""
    for line in lines:
        # click takes a terminal of ASCII for one of UTF-8.
        print(one_line(line), file=sys.stderr if err else sys.stdout)


def write_lines(lines: Iterable[str], *, for_programs: bool) -> None:
    """Writes lines as the terminal can show them.

    For programs they are UTF-8 whatever the terminal, and bytes of file names that are
    not are as they are.
    """
    # A notebook's has no buffer.
    bytes_out = getattr(sys.stdout, "buffer", None) if for_programs else None
    for line in lines:
        if bytes_out is None:
            sys.stdout.write(f"{line}\n")
        else:
            bytes_out.write(line.encode("utf-8", "surrogateescape") + b"\n")
    (bytes_out or sys.stdout).flush()


def accept_all_characters() -> None:
    """Lets stdout and stderr take any text, whatever their encoding.

    Where it has not a character, such as ± on a terminal of ASCII, another is written
    or its escape, instead of an error when all the work is done.
    """
    codecs.register_error("tfmeta.spell", _spell)
    for stream in _streams():
        reconfigure = getattr(stream, "reconfigure", None)  # A notebook's has none.
        if reconfigure is not None:
            reconfigure(errors="tfmeta.spell")


@contextlib.contextmanager
def quiet_when_closed() -> Iterator[None]:
    """Ends the process quietly when nobody reads its output on, as after `| head`.

    Raises:
        SystemExit: With 1.
    """
    try:
        yield
    except BrokenPipeError:
        sys.exit(CLOSED_PIPE)
    finally:
        # Python flushes once more at its end, when nothing can handle an error.
        for stream in _streams():
            try:
                stream.flush()
            except OSError:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def flush_output() -> None:
    """Writes what is in buffers, so that what cannot be written is an error here."""
    for stream in _streams():
        stream.flush()


def _streams() -> list[TextIO]:
    # One that was closed before Python started is None.
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
