"""A terminal for a command that draws a progress bar, and what it shows."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import struct
import termios

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment() -> dict[str, str]:
    """This process's environment, for a plain terminal of 120 columns."""
    return {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONUTF8": "1"}


def open_terminal() -> tuple[int, int]:
    """A pseudo-terminal of 120 columns: this end, and that of the command."""
    terminal, far_end = pty.openpty()
    fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    return terminal, far_end


def read_terminal(terminal: int, seconds: float) -> str:
    """What the terminal shows next; nothing when it is closed or time is up."""
    ready, _, _ = select.select([terminal], [], [], max(seconds, 0.0))
    if not ready:
        return ""
    try:
        return os.read(terminal, 65536).decode("utf-8", errors="replace")
    except OSError as error:
        if error.errno == errno.EIO:  # Linux: the process has ended.
            return ""
        raise
