"""The tasks of a run of regression, divided by a hash of their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets.hash_splits import TooFewClasses, assign_by_hash
from tfmeta.datasets.own.csv_columns import CSV_SUFFIXES
from tfmeta.datasets.own.task_csv import load_task_csv
from tfmeta.datasets.splits import SPLITS
from tfmeta.datasets.task_table import TaskTable
from tfmeta.runs.config import TrainConfig

_LEAST = 2


def load_tasks(config: TrainConfig, split: str) -> TaskTable:
    """The tasks of one split of a run of regression.

    Args:
        config: The run; where it says how its tasks are split, they are split so.
        split: `"train"`, `"validation"` or `"test"`.

    Raises:
        FileNotFoundError: When the CSV file is not there.
        ValueError: When it cannot be read, or the split has no task.
    """
    return split_tasks(load_whole(config), config.splits)[split]


def load_whole(config: TrainConfig) -> TaskTable:
    """All tasks of the CSV file of a run.

    Raises:
        FileNotFoundError: When it is not there.
        ValueError: When it is no such file, or cannot be read.
    """
    assert config.task_column is not None and config.target_column is not None
    path = Path(config.dataset)
    if path.suffix.lower() not in CSV_SUFFIXES:
        raise ValueError(
            "`dataset` must be a .csv or .tsv file of numbers with `task_column`. "
            f"Received: {config.dataset!r}"
        )
    with renamed_arguments({"path": "dataset"}):
        return load_task_csv(
            path,
            task_column=config.task_column,
            target_column=config.target_column,
            feature_column=config.feature_column,
            skip_bad=config.skip_bad,
        )


def split_tasks(
    whole: TaskTable, kept: Mapping[str, Sequence[str]] | None
) -> dict[str, TaskTable]:
    """The tasks of each split.

    Args:
        whole: All of them.
        kept: Origins of the tasks by name of the split, as they were split before:
            others are in none. `None` to divide them.

    Raises:
        ValueError: When there are fewer than two for each split.
    """
    if kept is None:
        split_of = dict(zip(whole.origins, _assigned(whole), strict=True))
    else:
        split_of = {origin: split for split, names in kept.items() for origin in names}
    found = {}
    for split in SPLITS:
        ids = [n for n, o in enumerate(whole.origins) if split_of.get(o) == split]
        if not ids:
            raise ValueError(
                f"split {split!r} of {whole.name!r} must have a task. Received: none "
                "of those that it is to have is there"
            )
        found[split] = whole.take_tasks(ids)
    return found


def _assigned(whole: TaskTable) -> list[str]:
    """The split of each task, by its name alone: a file that is moved keeps them."""
    least = _LEAST * len(SPLITS)
    try:
        if whole.num_tasks >= least:
            return assign_by_hash(whole.task_names, least=_LEAST, what="tasks")
    except TooFewClasses:
        pass
    raise ValueError(
        f"`task_column` must name at least {least} tasks, {_LEAST} in each of the "
        f"splits {', '.join(SPLITS)}, which share none. Received: {whole.num_tasks} in "
        f"{whole.name!r}"
    )


def with_task_splits(
    config: TrainConfig, tables: Mapping[str, TaskTable]
) -> TrainConfig:
    """A configuration that says how its tasks are divided, and keeps to it."""
    kept = {split: list(table.origins) for split, table in tables.items()}
    return dataclasses.replace(config, splits=kept)


def changes_of_tasks(config: TrainConfig) -> str | None:
    """What is other about the tasks than when a run began, in one sentence.

    Returns:
        `None` where nothing is, as far as the run says.
    """
    if config.splits is None:
        return None
    now = set(load_whole(config).origins)
    then = {origin for origins in config.splits.values() for origin in origins}
    found = [
        f"{what}: {', '.join(sorted(names)[:5])}" + (", ..." if len(names) > 5 else "")
        for what, names in (
            ("new, and in none of its splits", now - then),
            ("gone", then - now),
        )
        if names
    ]
    if not found:
        return None
    said = "; ".join(found)
    return f"{config.dataset} has other tasks than when this run began: {said}"


def usual_size(tables: Mapping[str, TaskTable]) -> int:
    """The most rows that three quarters of the tasks have."""
    sizes = np.concatenate([table.task_sizes for table in tables.values()])
    return int(np.quantile(sizes, 0.25, method="lower"))
