"""What a run of regression says of itself beside its export."""

from __future__ import annotations

from typing import Any

from tfmeta.datasets.task_table import TaskTable
from tfmeta.evaluation import RegressionResult
from tfmeta.evaluation.regression_result import METHODS
from tfmeta.registry import learner_entry
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_run
from tfmeta.runs.train_command import train_command


def describe_regression(folder: RunFolder, table: TaskTable) -> dict[str, Any]:
    """The `description` of a run's export, as `DescribedRun` has it.

    Args:
        folder: The run.
        table: Tasks of its data set, of any split.

    Raises:
        ValueError: When a file with results is damaged.
    """
    config = folder.read_config()
    entry = learner_entry(config.learner)
    results = Regression().read(folder)
    return {
        "learner": {
            "name": config.learner,
            "title": entry.title,
            "summary": entry.summary,
            "family": entry.family,
            "support": entry.support,
        },
        "training_data": table.name,
        "training_data_description": table.description,
        "training_data_licence": "unknown",
        "light_ground": None,
        "classes": folder.seen_by_split(),
        "columns": {
            "task": config.task_column,
            "features": list(table.feature_names),
            "targets": list(table.target_names),
        },
        "training": (
            f"This run {describe_run(config)}. It takes {config.steps:,} steps with "
            f"seed {config.seed} and keeps the weights of the best of "
            f"{config.epochs:,} epochs, by {config.validation_episodes:,} episodes of "
            "the validation tasks. Features and targets are standardized by the "
            "training tasks inside the model."
        ),
        "protocol": config.to_json(),
        "command": train_command(config),
        "commit": folder.read_environment().get("commit"),
        "failure": folder.failure,
        "test_figures": [],
        "open_set": [],
        "regression": [
            _figure(result, place)
            for result in results
            for place in range(len(result.targets))
        ],
    }


def _figure(result: RegressionResult, place: int) -> dict[str, Any]:
    p = result.protocol
    return {
        "target": result.targets[place],
        "data": p["table"],
        **{name: p[name] for name in ("shots", "queries", "episodes", "seed")},
        "test_tasks": len(result.task_names),
        "transductive": result.transductive,
        "rmse": {m: result.rmse(place, method=m).to_json() for m in METHODS},
        "mae": {m: result.mae(place, method=m).to_json() for m in METHODS},
    }
