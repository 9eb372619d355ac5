"""`tfmeta serve` as a process of its own, for the benchmarks of serving."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LISTENS = re.compile(r"Serving .* at (http://\S+)")


class Served:
    """A server that listens.

    Attributes:
        process: It.
        url: Where.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def memory(self) -> int:
        """Bytes of it that are in memory (RSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def kill(self) -> None:
        """Ends it as the kernel does, without a word."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def served(path: Path, log: Path, *options: str) -> Iterator[Served]:
    """A server of what is at a path, on a free port; ended in order.

    Args:
        path: A run, a gallery or a SavedModel.
        log: File to which its log is appended.
        *options: Of `tfmeta serve`.
    """
    command = [sys.executable, "-m", "tfmeta.cli.main", "serve", str(path)]
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = _LISTENS.search(line)
            if found is not None:
                break
        else:
            raise RuntimeError(f"tfmeta serve did not start; see {log}")
        yield Served(process, found[1])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
