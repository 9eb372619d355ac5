"""Evaluates trained runs on uniform, alike and many-way episodes; one table.

`tfmeta evaluate RUN --realistic` for each run, then results/realistic.json and
results/realistic.md. Every number is read from the files of the runs.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)

from tfmeta.evaluation import ClassInterval
from tfmeta.json_files import read_json

NAME = "realistic"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument(
        "--ways", type=int, default=5, help="of the first two kinds [5]"
    )
    parser.add_argument("--shots", type=int, default=1, help="examples per class [1]")
    parser.add_argument(
        "--episodes", type=int, default=1000, help="test episodes per figure [1000]"
    )
    parser.add_argument(
        "--update-tables", action="store_true", help="put the table into RESULTS.md"
    )
    return parser.parse_args()


def measure(run: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The three figures of a run, from its `metrics.json`."""
    task = ["--ways", str(arguments.ways), "--shots", str(arguments.shots)]
    count = ["--episodes", str(arguments.episodes)]
    subprocess.run(
        [
            *(sys.executable, "-m", "tfmeta.cli.main", "evaluate", str(run)),
            *("--realistic", *task, *count),
        ],
        check=True,
    )
    results = read_json(run / "metrics.json")["results"]
    wanted = {"shots": arguments.shots, "episodes": arguments.episodes, "seed": 0}
    found = [r for r in results if wanted.items() <= r["protocol"].items()]
    uniform = [r for r in found if not r["protocol"]["same_group"]]
    kinds = {
        "uniform": [r for r in uniform if r["protocol"]["ways"] == arguments.ways],
        "one group": [
            r
            for r in found
            if r["protocol"]["same_group"] and r["protocol"]["ways"] == arguments.ways
        ],
        "all classes": [max(uniform, key=lambda r: r["protocol"]["ways"])],
    }
    return {
        "run": run.name,
        "config": read_json(run / "config.json")["config"],
        "kinds": {kind: _row(rs[0]) for kind, rs in kinds.items() if rs},
    }


def _row(result: dict[str, Any]) -> dict[str, Any]:
    kept = ("protocol", "transductive", "accuracy", "over_episode_draws")
    return {
        **{key: result[key] for key in kept},
        "over_test_classes": result["over_test_classes"],
        "chance": 1 / result["protocol"]["ways"],
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| data set | episodes | ways | accuracy | over episode draws | over test "
        "classes | chance |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in content["runs"]:
        for kind, row in run["kinds"].items():
            over_classes = ClassInterval.from_json(row["over_test_classes"])
            lines.append(
                f"| {run['config']['dataset']} | {kind} | {row['protocol']['ways']} "
                f"| **{100 * row['accuracy']:.2f}** "
                f"| ± {100 * row['over_episode_draws']:.2f} "
                f"| {over_classes.text()} | {100 * row['chance']:.2f} |"
            )
    first = next(iter(content["runs"][0]["kinds"].values()))
    protocol = first["protocol"]
    queries = " and ".join(
        str(next(iter(run["kinds"].values()))["protocol"]["queries"])
        for run in content["runs"]
    )
    trainings = "; ".join(
        f"{run['config']['dataset']}: {run['config']['train_ways']}-way "
        f"{run['config']['train_shots']}-shot, "
        f"{run['config']['epochs'] * run['config']['steps_per_epoch']:,} steps, seed "
        f"{run['config']['seed']}"
        for run in content["runs"]
    )
    commit = "unknown" if content["commit"] is None else content["commit"][:12]
    if (content["commit"] or "").endswith("-dirty"):
        commit += " with changes"
    lines += [
        "",
        f"{protocol['shots']}-shot accuracy in percent of one Prototypical Network "
        "each, inductive, with 95 % intervals; "
        f"{protocol['episodes']:,} test episodes of seed {protocol['seed']} with "
        f"{queries} queries per class. Uniform: classes drawn from all; "
        "one group: all from one alphabet or domain; all classes: every test class "
        "of its own origin at once. Trainings, the epoch selected on validation "
        f"classes: {trainings}. `{content['command']}`, commit {commit}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Evaluates, writes the table."""
    arguments = parse_arguments()
    content = {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": describe_machine(),
        "runs": [measure(run, arguments) for run in arguments.runs],
    }
    table = markdown(content)
    write_json(RESULTS / f"{NAME}.json", content)
    (RESULTS / f"{NAME}.md").write_text(table, encoding="utf-8")
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
