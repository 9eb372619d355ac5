"""Trains a Prototypical Network on Omniglot, evaluates it, writes the table.

One command for the figures in the README: `tfmeta train` (going on with RUN
where it was stopped), `tfmeta evaluate`, then results/omniglot.json and
results/omniglot.md. Every number is read from the files of the run.
"""

from __future__ import annotations

import argparse
import datetime
import json
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

NAME = "omniglot"
TASKS = ((5, 1), (5, 5), (20, 1), (20, 5))
# Snell, Swersky and Zemel, 2017, Prototypical Networks for Few-shot Learning,
# table 1, in percent.
PUBLISHED = {(5, 1): 98.8, (5, 5): 99.7, (20, 1): 96.0, (20, 5): 98.9}


def parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what of it is for `tfmeta train`."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Further options go to `tfmeta train`, e.g. --seed 1.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--run",
        type=Path,
        default=Path("runs/omniglot"),
        help="run folder; one that exists is resumed [runs/omniglot]",
    )
    parser.add_argument(
        "--episodes", type=int, default=1000, help="test episodes per figure [1000]"
    )
    parser.add_argument(
        "--data-dir", type=Path, help="where data sets are kept [as for tfmeta]"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the two files"
    )
    parser.add_argument(
        "--update-readme", action="store_true", help="put the table into README.md"
    )
    return parser.parse_known_args()


def call_tfmeta(*words: str) -> None:
    """Runs a `tfmeta` command in a process of its own; its output is shown."""
    subprocess.run([sys.executable, "-m", "tfmeta.cli.main", *words], check=True)


def train_and_evaluate(arguments: argparse.Namespace, options: list[str]) -> None:
    """Leaves a trained run with the four figures in its metrics.json."""
    run = arguments.run
    data = ["--data-dir", str(arguments.data_dir)] if arguments.data_dir else []
    train = ["train", "--dataset", "omniglot", "--run", str(run), *data, *options]
    if run.exists() and any(run.iterdir()):
        train.append("--resume")
    call_tfmeta(*train)
    tasks = ["--ways", "5", "--ways", "20", "--shots", "1", "--shots", "5"]
    episodes = ["--episodes", str(arguments.episodes)]
    call_tfmeta("evaluate", str(run), *tasks, *episodes, *data)


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def collect(run: Path, episodes: int) -> dict[str, Any]:
    """Everything the table says, from the files of the run."""
    header = read_json(run / "config.json")
    timing = run / "timing.json"
    config = header["config"]
    results = read_json(run / "metrics.json")["results"]
    rows = []
    for ways, shots in TASKS:
        wanted = {
            "ways": ways,
            "shots": shots,
            "queries": config["queries"],
            "episodes": episodes,
            "seed": 0,
        }
        found = [r for r in results if wanted.items() <= r["protocol"].items()]
        if len(found) != 1:
            raise ValueError(
                f"{run / 'metrics.json'} must hold one result with {wanted}. "
                f"Received: {len(found)} such"
            )
        rows.append(_row(found[0]))
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": describe_machine(),
        "environment": header["environment"],
        "config": config,
        "training_seconds": (
            read_json(timing)["training_seconds"] if timing.exists() else None
        ),
        "published": "Snell, Swersky and Zemel, 2017, table 1",
        "results": rows,
    }


def _row(result: dict[str, Any]) -> dict[str, Any]:
    protocol = result["protocol"]
    clusters = {c["made_from"] for c in result["classes"] if c["total"]}
    return {
        "protocol": protocol,
        "transductive": result["transductive"],
        "published_percent": PUBLISHED[protocol["ways"], protocol["shots"]],
        "accuracy": result["accuracy"],
        "over_episode_draws": result["over_episode_draws"],
        "over_test_classes": result["over_test_classes"],
        "test_classes": len(clusters),
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| | published | here | over episode draws | over test classes | setting |",
        "|---|---|---|---|---|---|",
    ]
    for row in content["results"]:
        protocol = row["protocol"]
        low, high = row["over_test_classes"]
        lines.append(
            f"| {protocol['ways']}-way {protocol['shots']}-shot "
            f"| {row['published_percent']:.1f} "
            f"| **{100 * row['accuracy']:.2f}** "
            f"| ± {100 * row['over_episode_draws']:.2f} "
            f"| {100 * low:.2f} to {100 * high:.2f} "
            f"| {'transductive' if row['transductive'] else 'inductive'} |"
        )
    first = content["results"][0]
    config, machine = content["config"], content["machine"]
    commit = "unknown" if content["commit"] is None else content["commit"][:12]
    if (content["commit"] or "").endswith("-dirty"):
        commit += " with changes"
    clusters = sorted({row["test_classes"] for row in content["results"]})
    characters = " to ".join(str(n) for n in dict.fromkeys((clusters[0], clusters[-1])))
    minutes = ""
    if content["training_seconds"] is not None:
        minutes = (
            f" in {content['training_seconds'] / 60:.0f} minutes with validation on "
            f"{machine['cores']} cores ({machine['processor']})"
        )
    lines += [
        "",
        "Accuracy in percent. Published: J. Snell, K. Swersky and R. Zemel, 2017, "
        "*Prototypical Networks for Few-shot Learning*, table 1. Intervals are 95 %: "
        "over the drawing of episodes, as papers report it, and over test classes and "
        f"their images (bootstrap over {characters} characters). "
        f"{first['protocol']['episodes']:,} test episodes of seed "
        f"{first['protocol']['seed']} with {first['protocol']['queries']} queries per "
        f"class; characters and rotations of the {config['protocol'] or 'vinyals'} "
        f"protocol; one training with seed {config['seed']}, "
        f"{config['train_ways']}-way {config['train_shots']}-shot, "
        f"{config['epochs'] * config['steps_per_epoch']:,} steps"
        f"{' on affinely distorted pictures' if config['augment'] else ''}{minutes}, "
        "the epoch selected on validation classes. "
        f"`{content['command']}`, commit {commit}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Trains, evaluates, writes the table."""
    arguments, options = parse_arguments()
    train_and_evaluate(arguments, options)
    content = collect(arguments.run, arguments.episodes)
    table = markdown(content)
    write_json(arguments.results / f"{NAME}.json", content)
    (arguments.results / f"{NAME}.md").write_text(table, encoding="utf-8")
    print(table)
    if arguments.update_readme:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
