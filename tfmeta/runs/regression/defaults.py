"""What is trained where a run is of regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmeta.registry import LEARNERS, learner_entry, regressing_learners
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.regression.data import (
    load_whole,
    split_tasks,
    usual_size,
    with_task_splits,
)


def usual_regression(dataset: str, chosen: Mapping[str, Any]) -> TrainConfig:
    """The configuration without a look at the data.

    Args:
        dataset: The CSV file.
        chosen: Values by name of the option, as `TrainConfig.with_options` takes them.

    Raises:
        ValueError: When the learner does not regress; names those that do.
    """
    usual, *_ = regressing_learners()
    learner = chosen.get("learner", usual)
    entry = learner_entry(learner)
    if learner in LEARNERS and entry.regression is None:
        raise ValueError(
            "`learner` must be one that regresses where there is a `target_column`: "
            f"{', '.join(regressing_learners())}, or module:Class of your own. "
            f"Received: learner={learner!r}"
        )
    values = dict(entry.regression or LEARNERS[usual].regression or {})
    arguments = values.pop("learner_arguments") if entry.regression else {}
    values |= {"learner": learner, **chosen, "dataset": dataset}
    values.setdefault("train_shots", values["shots"])
    values["learner_arguments"] = {**arguments, **chosen.get("learner_arguments", {})}
    return TrainConfig().with_options(values)


def regression_config(dataset: str, chosen: Mapping[str, Any]) -> TrainConfig:
    """The configuration for a CSV file, with what the user has chosen.

    Shots and queries are 10, or the half of what three quarters of the tasks have; the
    configuration says how the tasks are split.

    Args:
        dataset: The CSV file.
        chosen: As of `usual_regression`.

    Raises:
        FileNotFoundError: When the file is not there.
        ValueError: As `usual_regression`, when the file cannot be read, and when no
            task has so many rows.
    """
    config = usual_regression(dataset, chosen)
    tables = split_tasks(load_whole(config), None)
    room = max(2, usual_size(tables))
    lowered: dict[str, Any] = {}
    for prefix, task in (("", config.test), ("train_", config.training)):
        shots, queries = f"{prefix}shots", f"{prefix}queries"
        taken = task.most_shots
        if shots not in chosen and (prefix == "" or "shots" not in chosen):
            taken = lowered[shots] = min(taken, room // 2)
        if queries not in chosen:
            lowered[queries] = max(1, min(task.queries, room - taken))
    config = config.with_options(lowered)
    # What is measured first: training has its numbers from there.
    for prefix, task in (("", config.test), ("train_", config.training)):
        most = max(int(table.task_sizes.max()) for table in tables.values())
        if task.most_shots + task.queries > most:
            raise ValueError(
                f"`{prefix}shots` + `{prefix}queries` must be at most the number of "
                f"rows of some tasks, the most being {most}. Received: {prefix}shots="
                f"{task.most_shots}, {prefix}queries={task.queries}"
            )
    return with_task_splits(config, tables)
