"""Arguments, goals, tables and result files, the same for all benchmarks."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tfmeta import json_files
from tfmeta.durable import writing
from tfmeta.reproduction.readme import put_into_readme
from tfmeta.runs import provenance

FORMAT_VERSION = 1
FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"


def parse_arguments(
    description: str,
    *,
    name: str,
    rounds: int,
    seconds: float | None,
    add: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """The command line that the benchmarks share.

    Args:
        description: For `--help`.
        name: Name of the result file.
        rounds: Default number of rounds.
        seconds: Default length of a turn, `None` where it has no fixed length.
        add: Adds the options that only this benchmark has.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds to count")
    if seconds is not None:
        parser.add_argument(
            "--seconds", type=float, default=seconds, help="length of a turn"
        )
        parser.add_argument(
            "--threads", type=int, default=2, help="threads of every contestant"
        )
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS / f"{name}.json",
        help="where the result is written",
    )
    if add is not None:
        add(parser)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1. Received: {arguments.rounds}")
    if seconds is not None and not arguments.seconds > 0:
        parser.error(f"--seconds must be above 0. Received: {arguments.seconds}")
    return arguments


def goal(what: str, measured: dict[str, float] | None, **bound: float) -> dict:
    """A goal and whether the median meets it.

    Args:
        what: In words.
        measured: Median, smallest and largest; `None` where a contestant was
            left out.
        **bound: `at_least` or `below`.
    """
    met = None
    if measured is not None:
        met = (
            measured["median"] >= bound["at_least"]
            if "at_least" in bound
            else measured["median"] < bound["below"]
        )
    return {"what": what, **bound, "measured": measured, "met": met}


def line_of(group: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A contestant's line, or `None` where it was left out."""
    return next((c for c in group["contestants"] if c["name"] == name), None)


def show_group(group: dict[str, Any], *, step_times: bool = False) -> None:
    """Prints a group as a table."""
    table = Table(title=group["name"], title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column(group["unit"], justify="right")
    table.add_column(f"times {group['reference']}", justify="right")
    if step_times:
        table.add_column("median step, ms", justify="right")
    for line in group["contestants"]:
        cells = [line["name"], _range(line["value"])]
        cells.append(_range(line["ratio"]) if "ratio" in line else "")
        if step_times:
            cells.append(f"{line['median_step_ms']:.3g}")
        table.add_row(*cells)
    # Without a terminal rich would assume 80 columns and break the names.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for name, reason in group["left_out"].items():
        console.print(f"  left out: {name} ({reason})", markup=False)


def show_goals(goals: list[dict[str, Any]]) -> None:
    """Prints the goals and what was measured."""
    for entry in goals:
        sign, bound = ("≥", "at_least") if "at_least" in entry else ("<", "below")
        verdict = {True: "met", False: "missed", None: "not measured"}[entry["met"]]
        measured = "" if entry["measured"] is None else f"{_range(entry['measured'])}, "
        print(f"{entry['what']}: {measured}goal {sign} {entry[bound]:g}: {verdict}")


def write_result(
    name: str,
    arguments: argparse.Namespace,
    groups: list[dict[str, Any]],
    goals: list[dict[str, Any]],
) -> None:
    """Writes the whole measurement as JSON."""
    settings = {k: v for k, v in vars(arguments).items() if k != "output"}
    content = {
        "format_version": FORMAT_VERSION,
        "benchmark": name,
        "command": command_line(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": describe_machine(),
        "settings": settings,
        "groups": groups,
        "goals": goals,
    }
    write_json(arguments.output, content)
    print(f"written to {arguments.output}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON that people can read as well, a list of numbers in one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json_files.json_text(content, path, indent=2)
    with writing(path) as building:
        building.write_text(numbers_in_lines(text) + "\n", encoding="utf-8")


def numbers_in_lines(text: str) -> str:
    """JSON with an indent, each list of numbers in one line.

    In texts of JSON there is no end of a line, so that what is in quotes stays.
    """
    return re.sub(
        r"\[\n\s*([-+.\deE,\s]+?)\n\s*\]",
        lambda found: f"[{' '.join(found[1].split())}]",
        text,
    )


def measured_or_read(
    description: str | None,
    name: str,
    *,
    add: Callable[[argparse.ArgumentParser], None],
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    markdown: Callable[[dict[str, Any]], str],
) -> None:
    """The `main` of a benchmark of one table: measures it, or reads it, and shows it.

    Args:
        description: For `--help`.
        name: Of the result file and of the table.
        add: Adds the options that only this benchmark has.
        measure: From the options to what the result file holds of its own.
        markdown: From the result file to the table.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / f"{name}.json")
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="measure nothing, take the result file",
    )
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    if arguments.table_only:
        content = json_files.read_json(arguments.output)
    else:
        content = {
            "format_version": FORMAT_VERSION,
            "benchmark": name,
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            **measure(arguments),
        }
        write_json(arguments.output, content)
    text = markdown(content)
    print(text)
    if arguments.update_tables:
        replace_table(name, text)


def paired(ones: Any, others: Any) -> dict[str, float]:
    """Mean difference over the same episodes, and half its 95 % interval."""
    # Other benchmarks choose TensorFlow's threads first, or have none of it.
    from tfmeta.evaluation.intervals import over_episode_draws

    gaps = np.asarray(ones) - np.asarray(others)
    return {
        "difference": float(gaps.mean()),
        "half_width": over_episode_draws(gaps),
    }


def replace_table(name: str, table: str) -> None:
    """Puts a table between its two markers, on the page that has them.

    Raises:
        ValueError: When the markers are not there, each once and in order.
    """
    mark = f"<!-- {name} table -->"
    pages = [FOLDER / page for page in ("RESULTS.md", "SPEED.md", "SERVING.md")]
    holds = [page for page in pages if mark in page.read_text(encoding="utf-8")]
    put_into_readme(holds[0] if holds else pages[0], name, table)


def command_line() -> str:
    """What was typed, from the root of the repository.

    Of an absolute path the name alone, since the rest says nothing elsewhere.
    """
    words = [
        f".../{Path(word).name}" if Path(word).is_absolute() else word
        for word in sys.argv[1:]
    ]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def git_commit() -> str | None:
    """The commit that is checked out, with `-dirty` where files have changed."""
    return provenance.git_commit(FOLDER.parent)


def describe_machine() -> dict[str, Any]:
    """Processor, memory and system of this machine, and how busy it is."""
    processor = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _range(values: dict[str, float]) -> str:
    median, low, high = (_number(values[key]) for key in ("median", "min", "max"))
    return f"{median} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
