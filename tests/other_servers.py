"""Servers that others wrote, each in a virtual environment of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

EXPORT = Path(__file__).parents[1] / "export"


def environment(variable: str, packages: str) -> Path:
    """The virtual environment that a variable names; skips without one."""
    folder = os.environ.get(variable)
    if not folder or not (Path(folder) / "bin" / "python").is_file():
        pytest.skip(
            f"set {variable} to a virtual environment: python -m venv FOLDER && "
            f"FOLDER/bin/pip install {packages}"
        )
    return Path(folder)


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody has just now."""
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


@contextlib.contextmanager
def process(command, *, log: Path, ready, seconds: float = 240, **options):
    """A server's process and all that it starts, from when it is ready to the end.

    It is asked to stop by SIGTERM, and must.

    Args:
        command: As of `subprocess.Popen`.
        log: File of what it prints.
        ready: Called until it returns true or raises no error of a connection.
        seconds: How long it may take to be ready, and to stop.
        **options: As of `subprocess.Popen`.
    """
    with log.open("wb") as file:
        started = subprocess.Popen(
            [str(part) for part in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        end = time.monotonic() + seconds
        while True:
            assert started.poll() is None, log.read_text("utf-8")[-3000:]
            with contextlib.suppress(OSError):
                if ready():
                    break
            assert time.monotonic() < end, log.read_text("utf-8")[-3000:]
            time.sleep(0.2)
        yield started
        started.send_signal(signal.SIGTERM)
        started.wait(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
