"""`tfmeta classify` on thousands of photographs, and on fifty.

Writes JPEGs of 84 x 84 and runs the command as a user does, on a terminal, in a data
folder of its own. Of a long run: pictures a second in the first and in the last third,
by its progress bar, and its memory there. Of a short one, 50 pictures in --support and
50 in --query at the default size, with --no-cache: seconds from the start of the
process to its end, and its peak memory; the first call converts the weights, later
ones find them. Results go to results/many_photographs.json.
"""

from __future__ import annotations

import argparse
import bisect
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from beyond_memory import make_jpeg
from interleaved import spread, summarize
from pseudo_terminal import ESCAPES, environment, open_terminal, read_terminal
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "many_photographs"
CLASSES, SHOTS, FEW = 5, 10, 50
GOAL_SECONDS, GOAL_PEAK_MIB = 20.0, 1536.0
# The features themselves, 5 KiB a picture, are 33 MiB of 6,667 pictures.
GOAL_STEADY, GOAL_GROWTH_MIB = 0.9, 64.0

FIRST, LAST = "first third", "last third"
FIRST_CALL, LATER_CALL = "first call, converts the weights", "later call"

SAMPLE_SECONDS = 0.1
KEPT_SAMPLES = 100

# The bar: what it does, the bar itself, then pictures done of all pictures.
_COUNTER = re.compile(r"Embedding[^\d\n]*(\d+)/(\d+)")


@dataclasses.dataclass(frozen=True)
class Sample:
    """Seconds since the start, pictures embedded, and MiB of resident memory."""

    seconds: float
    done: int
    resident_mib: float


@dataclasses.dataclass(frozen=True)
class Watched:
    """What a command did: its seconds, peak of memory and samples meanwhile."""

    seconds: float
    peak_mib: float
    samples: list[Sample]


def write_pictures(folder: Path, first: int, count: int) -> None:
    """Writes JPEGs, each by its number, 3 kB each."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        (folder / f"{number:06d}.jpg").write_bytes(make_jpeg(number))


def write_task(folder: Path, queries: int) -> None:
    """Writes the folders `support`, of five classes, and `query`."""
    for n in range(CLASSES):
        write_pictures(folder / "support" / f"class_{n}", n * SHOTS, SHOTS)
    write_pictures(folder / "query", CLASSES * SHOTS, queries)


def classify(task: Path, data_dir: Path, *options: str) -> Watched:
    """Runs the command on a task and watches it.

    Raises:
        SystemExit: When it fails, or does not answer all queries.
    """
    command = [sys.executable, "-m", "tfmeta.cli.main", "classify"]
    command += ["--support", str(task / "support"), "--query", str(task / "query")]
    terminal, far_end = open_terminal()
    with tempfile.TemporaryFile() as answers:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=far_end,
            # Weights are kept there, too.
            env={**environment(), "TFMETA_DATA_DIR": str(data_dir)},
        )
        os.close(far_end)
        try:
            watched, shown = _watch(process, terminal, began)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(terminal)
        answers.seek(0)
        answered = sum(1 for _ in answers)
    expected = sum(1 for _ in (task / "query").iterdir())
    if process.returncode != 0 or answered != expected:
        sys.exit(
            f"the command must answer {expected:,} queries. Received: {answered:,} "
            f"answers, exit code {process.returncode}, {shown[-1000:]!r}"
        )
    return watched


def _watch(
    process: subprocess.Popen, terminal: int, began: float
) -> tuple[Watched, str]:
    samples: list[Sample] = []
    shown, done, peak, due = "", 0, 0.0, began
    while process.poll() is None:
        text = read_terminal(terminal, SAMPLE_SECONDS / 2)
        # A counter may come in two pieces.
        shown = (shown + text)[-20_000:]
        for counted, _ in _COUNTER.findall(ESCAPES.sub("", shown)):
            done = max(done, int(counted))
        now = time.perf_counter()
        if not text:
            time.sleep(SAMPLE_SECONDS / 10)  # It may be closed.
        if now < due:
            continue
        due = now + SAMPLE_SECONDS
        memory = _memory(process.pid)
        if memory is not None:
            resident, peak = memory
            samples.append(Sample(now - began, done, resident))
    return Watched(time.perf_counter() - began, peak, samples), shown


def _memory(pid: int) -> tuple[float, float] | None:
    """MiB of resident memory, now and at its peak; `None` of what has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines)
    if "VmHWM" not in sizes:
        return None
    now, peak = (int(sizes[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
    return now, peak


def thirds(samples: list[Sample], pictures: int) -> dict[str, dict[str, float]]:
    """Pictures a second and MiB at the end of the first and of the last third.

    From the first batch that is done on: before it the graph is traced.
    """
    counted = [s for s in samples if s.done > 0]
    if not counted or counted[-1].done < 0.95 * pictures:
        sys.exit(
            "the progress bar must be seen from its start to its end. Received: "
            f"{len(counted)} samples, the last {counted[-1:]}"
        )
    dones = [s.done for s in counted]

    def at(done: float) -> Sample:
        return counted[min(bisect.bisect_left(dones, done), len(counted) - 1)]

    def between(a: Sample, b: Sample) -> dict[str, float]:
        if b.done == a.done:
            sys.exit("--pictures must be more, for a rate. Received: too few")
        rate = (b.done - a.done) / (b.seconds - a.seconds)
        return {"rate": rate, "resident_mib": b.resident_mib}

    begin, end = counted[0], at(dones[-1])
    return {
        FIRST: between(begin, at(pictures / 3)),
        LAST: between(at(2 * pictures / 3), end),
    }


def long_run(
    folder: Path, pictures: int, size: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Groups and goals of one run on many pictures, which keeps its features."""
    write_task(folder / "many", pictures)
    watched = classify(folder / "many", folder / "data of many", "--size", str(size))
    parts = thirds(watched.samples, pictures + CLASSES * SHOTS)
    rates = summarize(
        f"{pictures:,} pictures, --size {size}",
        "pictures/s",
        {name: [part["rate"]] for name, part in parts.items()},
        reference=FIRST,
    )
    memory = summarize(
        f"resident memory at the end of a part, {pictures:,} pictures",
        "MiB",
        {
            **{name: [part["resident_mib"]] for name, part in parts.items()},
            "peak": [watched.peak_mib],
        },
        reference=FIRST,
    )
    every = max(1, len(watched.samples) // KEPT_SAMPLES)
    rates["seconds"] = watched.seconds
    rates["samples"] = [dataclasses.asdict(s) for s in watched.samples[::every]]
    growth = parts[LAST]["resident_mib"] - parts[FIRST]["resident_mib"]
    last = line_of(rates, LAST) or {}
    goals = [
        goal(f"rate, {LAST} over {FIRST}", last["ratio"], at_least=GOAL_STEADY),
        goal(
            f"MiB more at the end of the {LAST} than of the {FIRST}",
            spread([growth]),
            below=GOAL_GROWTH_MIB,
        ),
        goal(
            f"peak MiB, {pictures:,} pictures",
            spread([watched.peak_mib]),
            below=GOAL_PEAK_MIB,
        ),
    ]
    return [rates, memory], goals


def short_runs(
    folder: Path, rounds: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Groups and goals of first and later calls on 50 pictures."""
    write_task(folder / "few", FEW)
    calls: dict[str, list[Watched]] = {FIRST_CALL: [], LATER_CALL: []}
    for number in range(rounds + 1):
        for watched in calls.values():
            found = classify(folder / "few", folder / f"data {number}", "--no-cache")
            if number > 0:  # The first round has filled the disk cache.
                watched.append(found)
    what = f"{CLASSES * SHOTS} pictures in --support, {FEW} in --query"
    seconds = summarize(
        f"from command to answers, {what}",
        "seconds",
        {name: [w.seconds for w in some] for name, some in calls.items()},
        reference=LATER_CALL,
    )
    peaks = summarize(
        f"peak resident memory, {what}",
        "MiB",
        {name: [w.peak_mib for w in some] for name, some in calls.items()},
        reference=LATER_CALL,
    )
    goals = [
        goal(f"{unit}, {FEW} pictures, {name}", line["value"], below=bound)
        for unit, group, bound in (
            ("seconds", seconds, GOAL_SECONDS),
            ("peak MiB", peaks, GOAL_PEAK_MIB),
        )
        for name in calls
        if (line := line_of(group, name)) is not None
    ]
    return [seconds, peaks], goals


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", type=int, default=10_000, help="of the long run; 0 for none"
    )
    parser.add_argument("--size", type=int, default=128, help="--size of the long run")
    parser.add_argument(
        "--folder", type=Path, help="where the pictures are put, for the time being"
    )


def main() -> None:
    """Writes the pictures, runs the commands and writes the result."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=5, seconds=None, add=_add
    )
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        groups, goals = short_runs(folder, arguments.rounds)
        if arguments.pictures:
            more, further = long_run(folder, arguments.pictures, arguments.size)
            groups, goals = groups + more, goals + further
    for group in groups:
        show_group(group)
    show_goals(goals)
    arguments.folder = None if arguments.folder is None else arguments.folder.name
    write_result(NAME, arguments, groups, goals)


if __name__ == "__main__":
    main()
