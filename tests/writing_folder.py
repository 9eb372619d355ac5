"""A process that owns a folder and writes what it is told to, without TensorFlow."""

import contextlib
import subprocess
import sys

SCRIPT = """
import pathlib, sys
from tfmeta import locks
from tfmeta.json_files import write_json
from tfmeta.one_writer import only_writer
if sys.argv[2] == "without locks":
    locks.fcntl = None
folder = pathlib.Path(sys.argv[1])
try:
    with only_writer(folder):
        print("owns", flush=True)
        for word in sys.stdin:
            write_json(folder / "metrics.json", word.strip())
            print("wrote", flush=True)
except OSError as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""


class Writer:
    """The process; `said` is what it said first."""

    def __init__(self, folder, locks="locks"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), locks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def heard(self):
        """The next line that it says."""
        return self.process.stdout.readline().strip()

    def write(self, word):
        """Lets it write, and gives what it says to that."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.heard()

    def end(self):
        """Lets it end in order."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def writer_of(folder, locks="locks"):
    """A process that owns a folder, and is gone in the end."""
    writer = Writer(folder, locks)
    try:
        yield writer
    finally:
        writer.process.kill()
        writer.end()
