"""Runs that an earlier table describes and whose folders are gone."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection
from typing import Any

from tfmeta.reproduction.row import Row
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.former_config import from_flat

# What a table of format version 1 had for these was too narrow.
_FORMER_INTERVALS = ("test classes", "alphabets")
_NOT_KEPT = (
    "the classes of the episodes were not kept, and the row shows one again when it is "
    "measured anew"
)

# Of a column, what a figure depends on: not its goal, nor what others published.
_MEASURED = ("kind", "ways", "shots", "queries")


def brought_up_to_date(content: dict[str, Any]) -> dict[str, Any]:
    """A table of an earlier version in the form of today's.

    Args:
        content: The content of a table's JSON file.
    """
    content = copy.deepcopy(content)
    if content["format_version"] < 2:
        _drop_former_intervals(content)
    if content["format_version"] < 3:
        for row in content["rows"]:
            row["config"] = from_flat(row["config"])
        content["format_version"] = 3
    return content


def _drop_former_intervals(content: dict[str, Any]) -> None:
    """Takes out the intervals that no longer hold.

    They resampled the recall of each class, and left out that a class is also a
    competitor of the others.
    """
    for row in content["rows"]:
        for run in row["runs"]:
            for figure in run["figures"]:
                if figure is None:
                    continue
                for over in set(_FORMER_INTERVALS) & set(figure["intervals"]):
                    figure["intervals"][over] = None
                    figure["no_interval"] = _NOT_KEPT


def earlier_budgets(earlier: dict[str, Any] | None, row: Row) -> list[float]:
    """The budgets that an earlier table has runs of a row for."""
    return [kept["budget"] for kept in _rows_of(earlier, row) if _measured(kept)]


def earlier_runs(
    earlier: dict[str, Any] | None,
    row: Row,
    *,
    budget: float,
    test_episodes: int,
    present: Collection[int],
) -> list[dict[str, Any]]:
    """What an earlier table says of the runs of a row that are not there any more.

    Only of runs that were trained and measured on as many test episodes, of a row
    whose training and measurements are still the same.

    Args:
        earlier: The content of the earlier table's JSON file, `None` for none.
        row: The row as it is now.
        budget: Its budget.
        test_episodes: Test episodes per figure.
        present: Seeds whose run folders are there.
    """
    if earlier is None or earlier["test_episodes"] != test_episodes:
        return []
    columns = [_measurement(dataclasses.asdict(column)) for column in row.columns]
    config = row.train_config(budget=budget)
    for kept in _rows_of(earlier, row):
        if (
            kept["budget"] == budget
            and _is_of(kept["config"], config)
            and [_measurement(column) for column in kept["columns"]] == columns
        ):
            return [run for run in _measured(kept) if run["seed"] not in present]
    return []


def _is_of(kept: dict[str, Any], config: TrainConfig) -> bool:
    """Whether a kept configuration, without a seed, is this one."""
    try:
        return TrainConfig.from_json({**kept, "seed": config.seed}) == config
    except ValueError:  # of another version, which had settings that are unknown here
        return False


def _rows_of(earlier: dict[str, Any] | None, row: Row) -> list[dict[str, Any]]:
    rows = [] if earlier is None else earlier["rows"]
    return [kept for kept in rows if kept["row"] == row.name]


def _measured(kept: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        run
        for run in kept["runs"]
        if run["trained"] and any(figure is not None for figure in run["figures"])
    ]


def _measurement(column: dict[str, Any]) -> dict[str, Any]:
    return {name: column[name] for name in _MEASURED}
