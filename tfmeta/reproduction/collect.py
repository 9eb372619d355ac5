"""Everything that a table says, read from the run folders of its rows."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path
from typing import Any

from tfmeta._version import __version__
from tfmeta.callbacks.checkpoint_folder import load_checkpoint
from tfmeta.evaluation.training_seeds import TrainingSeeds
from tfmeta.json_files import null_where_not_finite
from tfmeta.json_types import check_type
from tfmeta.registry import LEARNERS
from tfmeta.reproduction.earlier import earlier_budgets, earlier_runs
from tfmeta.reproduction.figures import find_figure
from tfmeta.reproduction.measure import check_config
from tfmeta.reproduction.row import Column, Row
from tfmeta.reproduction.table import ReproductionTable
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.provenance import git_commit
from tfmeta.runs.run_folder import History, RunFolder
from tfmeta.runs.run_in_words import describe_training

# 2 has other intervals over test classes and alphabets than 1; in 3 a configuration
# has a part each for the tasks of training, validation and test.
RESULT_FORMAT_VERSION = 3


def collect(
    table: ReproductionTable,
    directory: Path,
    *,
    test_episodes: int = 1000,
    command: str,
    earlier: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The figures of all runs of the table's rows in a folder, as plain values.

    What has not been run, or not to its end, is there without figures. A run that
    is not the row's, whose training failed, or whose files cannot be read, is left
    out, and the result says so.

    Args:
        table: The table.
        directory: Where the run folders are.
        test_episodes: The figures of so many test episodes are taken.
        command: How the table is called, `tfmeta reproduce NAME`.
        earlier: An earlier content, whose figures stay where a run's folder is gone.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    for row in table.rows:
        found = _find_runs(row, directory)
        # The usual budget first.
        budgets = {*found, *earlier_budgets(earlier, row)}
        for budget in sorted(budgets, key=lambda b: (b != 1, b)) or [1.0]:
            runs = earlier_runs(
                earlier,
                row,
                budget=budget,
                test_episodes=test_episodes,
                present=found.get(budget, []),
            )
            for seed in found.get(budget, []):
                folder = RunFolder(
                    directory / row.folder_name(seed=seed, budget=budget)
                )
                try:
                    check_config(folder, row.train_config(seed=seed, budget=budget))
                    runs.append(_describe_run(row, folder, seed, test_episodes))
                except (OSError, ValueError) as error:
                    left_out.append(f"{folder.path.name} is left out: {error}")
            runs.sort(key=lambda run: run["seed"])
            rows.append(_describe_row(row, budget, runs, command))
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "format_version": RESULT_FORMAT_VERSION,
        "table": table.name,
        "written": now.isoformat(timespec="seconds"),
        "commit": git_commit(),
        "tfmeta": __version__,
        "test_episodes": test_episodes,
        "rows": rows,
        "left_out": left_out,
    }


def _find_runs(row: Row, directory: Path) -> dict[float, list[int]]:
    """The seeds of the run folders that are there, by budget."""
    named = re.compile(rf"{re.escape(row.name)}(?:-budget([^-]+))?-seed(\d+)")
    found: dict[float, list[int]] = {}
    for path in directory.iterdir() if directory.is_dir() else ():
        parts = named.fullmatch(path.name)
        if parts is None or not RunFolder(path).exists:
            continue
        try:
            budget = float(parts[1] or 1)
        except ValueError:
            continue
        if path.name == row.folder_name(seed=int(parts[2]), budget=budget):
            found.setdefault(budget, []).append(int(parts[2]))
    return {budget: sorted(seeds) for budget, seeds in found.items()}


def _describe_run(
    row: Row, folder: RunFolder, seed: int, test_episodes: int
) -> dict[str, Any]:
    failure = folder.failure
    if failure is not None:
        raise ValueError(f"its training failed: {failure}")
    trained = folder.is_trained
    if trained:
        history: History = folder.read_history()
    else:
        checkpoint = load_checkpoint(folder.checkpoints)
        history = {} if checkpoint is None else checkpoint.state.get("history", {})
        history = null_where_not_finite(history)
        check_type(history, History, f"the checkpoint in {folder.checkpoints}")
    return {
        "seed": seed,
        "folder": folder.path.name,
        "trained": trained,
        "training_seconds": folder.training_seconds,
        "environment": folder.read_environment(),
        "history": history,
        "figures": [
            find_figure(column, folder, test_episodes=test_episodes)
            if trained
            else None
            for column in row.columns
        ],
    }


def _describe_row(
    row: Row, budget: float, runs: list[dict[str, Any]], command: str
) -> dict[str, Any]:
    trained = row.train_config(budget=budget)
    config = trained.to_json()
    # Of own data, which no row has.
    del config["seed"], config["splits"], config["skip_bad"]
    last_seed = max((run["seed"] for run in runs), default=0)
    words = [command, "--row", row.name]
    words += ["--budget", f"{budget:g}"] if budget != 1 else []
    words += ["--seeds", str(last_seed + 1)] if last_seed else []
    return {
        "row": row.name,
        "title": row.title,
        "paper": dataclasses.asdict(row.paper),
        "note": row.note,
        "budget": budget,
        "config": config,
        "training": _describe_training(trained),
        "command": " ".join(words),
        "columns": [
            _describe_column(column, [run["figures"][number] for run in runs])
            for number, column in enumerate(row.columns)
        ],
        "runs": runs,
    }


def _describe_training(config: TrainConfig) -> str:
    if config.learner not in LEARNERS:
        return f"{config.learner}, not among the learners"
    tasks = f", {config.train_tasks} tasks a step" if config.train_tasks > 1 else ""
    return describe_training(config, None) + tasks


def _describe_column(
    column: Column, figures: list[dict[str, Any] | None]
) -> dict[str, Any]:
    measured = [figure for figure in figures if figure is not None]
    return {
        **dataclasses.asdict(column),
        "label": column.label,
        "goal_met": column.meets_goal(measured[0]["percent"]) if measured else None,
        "over_training_seeds": _over_seeds(measured),
    }


def _over_seeds(figures: list[dict[str, Any]]) -> dict[str, Any] | None:
    if len(figures) < 2 or any(
        figure["protocol"] != figures[0]["protocol"] for figure in figures
    ):
        return None
    spread = TrainingSeeds(tuple(figure["percent"] / 100 for figure in figures))
    return {
        "mean": 100 * spread.mean,
        "standard_deviation": 100 * spread.standard_deviation,
        "half_width": 100 * spread.half_width,
        "seeds": len(figures),
    }
