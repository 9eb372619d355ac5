"""Seconds from typing `tfmeta train` to its first progress line.

The command starts as a process on a terminal of its own (a pty), with its
defaults, into a temporary folder, and is stopped once the bar has counted a
step. Beside it, in turns: a bare `python -c "import tensorflow"`, which no
TensorFlow program can undercut. Everything was read from disk once before.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interleaved import summarize
from pseudo_terminal import ESCAPES, environment, open_terminal, read_terminal
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "first_progress_line"
GOAL_SECONDS = 8.0
TIMEOUT_SECONDS = 300.0

FIRST_LINE = "tfmeta train, first progress line"
FIRST_STEP = "tfmeta train, first step counted"
IMPORT = 'python -c "import tensorflow"'

# The bar: "training", the bar itself, then steps done of all steps.
_COUNTER = re.compile(r"training[^\d\n]*(\d+)/(\d+)")


def time_import() -> float:
    """Seconds of a process that imports TensorFlow."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import tensorflow"],
        check=True,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def time_training(run: Path) -> tuple[float, float]:
    """Seconds to the first line with a step counter, and to the first step."""
    terminal, far_end = open_terminal()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tfmeta.cli.main", "train", "--run", str(run)],
        stdin=far_end,
        stdout=far_end,
        stderr=far_end,
        env=environment(),
        start_new_session=True,
    )
    os.close(far_end)
    shown, first_line = "", None
    try:
        while True:
            left = begin + TIMEOUT_SECONDS - time.perf_counter()
            text = read_terminal(terminal, left)
            now = time.perf_counter() - begin
            if not text:
                raise RuntimeError(
                    "`tfmeta train` must show a counted step within "
                    f"{TIMEOUT_SECONDS:.0f} seconds. Received: {shown[-1000:]!r}"
                )
            shown = ESCAPES.sub("", shown + text)
            counts = [int(done) for done, _ in _COUNTER.findall(shown)]
            if counts and first_line is None:
                first_line = now
            if first_line is not None and max(counts) > 0:
                return first_line, now
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(terminal)


def main() -> None:
    """Starts the commands in turns and writes the result."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=7, seconds=None)
    seconds: dict[str, list[float]] = {FIRST_LINE: [], FIRST_STEP: [], IMPORT: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds + 1):
            imported = time_import()
            first_line, first_step = time_training(Path(folder) / f"run{number}")
            if number == 0:  # This round has filled the disk cache.
                continue
            seconds[IMPORT].append(imported)
            seconds[FIRST_LINE].append(first_line)
            seconds[FIRST_STEP].append(first_step)
    group = summarize(
        "from the start of the process", "seconds", seconds, reference=IMPORT
    )
    show_group(group)
    line = line_of(group, FIRST_LINE)
    assert line is not None
    goals = [goal(f"seconds, {FIRST_LINE}", line["value"], below=GOAL_SECONDS)]
    show_goals(goals)
    write_result(NAME, arguments, [group], goals)


if __name__ == "__main__":
    main()
