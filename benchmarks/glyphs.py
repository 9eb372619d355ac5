"""Runs the default job, measures it before and after training, writes the table.

`tfmeta train` with no option (going on with RUN where it was stopped), then the
same network with its first, random weights on the same test episodes.
"""

from __future__ import annotations

import argparse
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
)
from report import write_json as write_result_json

from tfmeta.evaluation import ClassInterval, EvaluationResult
from tfmeta.json_files import read_json
from tfmeta.runs.building import build_learner
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.run_folder import RunFolder

NAME = "glyphs"


def measure(run: Path) -> dict[str, EvaluationResult]:
    """The figures of the trained and of the untrained learner."""
    command = [sys.executable, "-m", "tfmeta.cli.main", "train", "--run", str(run)]
    if run.exists() and any(run.iterdir()):
        command.append("--resume")
    subprocess.run(command, check=True)
    folder = RunFolder(run)
    config = folder.read_config()
    episodes = draw_test_episodes(config)
    learner = build_learner(config, episodes.table)
    untrained = evaluate_run(folder, learner, episodes, keep=False)
    trained = next(r for r in read_results(folder) if r.protocol == untrained.protocol)
    return {"random weights": untrained, "trained": trained}


def collect(run: Path, results: dict[str, EvaluationResult]) -> dict[str, Any]:
    """Everything the table says."""
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "config": read_json(run / "config.json")["config"],
        "training_seconds": read_json(run / "timing.json")["training_seconds"],
        "protocol": results["trained"].protocol,
        "results": {
            name: {
                "accuracy": result.accuracy,
                "over_episode_draws": result.over_episode_draws,
                "over_test_classes": result.over_test_classes.to_json(),
                "transductive": result.transductive,
            }
            for name, result in results.items()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it how it was made."""
    protocol, config = content["protocol"], content["config"]
    lines = [
        f"| {protocol['ways']}-way {protocol['shots']}-shot | accuracy "
        "| over episode draws | over test classes | setting |",
        "|---|---|---|---|---|",
    ]
    for name, result in content["results"].items():
        over_classes = ClassInterval.from_json(result["over_test_classes"])
        lines.append(
            f"| {name} | **{100 * result['accuracy']:.2f}** "
            f"| ± {100 * result['over_episode_draws']:.2f} "
            f"| {over_classes.text()} "
            f"| {'transductive' if result['transductive'] else 'inductive'} |"
        )
    steps = config["epochs"] * config["steps_per_epoch"]
    lines += [
        "",
        f"In percent, 95 % intervals; {protocol['episodes']:,} test episodes of seed "
        f"{protocol['seed']}. Training: seed {config['seed']}, {steps:,} steps, "
        f"{config['training']['ways']}-way {config['training']['shots']}-shot, "
        f"{content['training_seconds']:.0f} seconds with validation on "
        f"{content['machine']['cores']} cores ({content['machine']['processor']}). "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Trains, measures, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/glyphs-seed0"))
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    content = collect(arguments.run, measure(arguments.run))
    write_result_json(RESULTS / f"{NAME}.json", content)
    table = markdown(content)
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
