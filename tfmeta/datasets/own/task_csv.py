"""A CSV file of numbers by task as a task table."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.own.csv_rows import column_names, csv_rows
from tfmeta.datasets.reading.unreadable import Problems
from tfmeta.datasets.task_table import TaskTable

# Squares of deviations stay finite in float64, and rows in float32.
_LARGEST = 1e30
_CHOOSE = "`feature_column` chooses the columns that are features"


def load_task_csv(
    path: str | os.PathLike[str],
    *,
    task_column: str,
    target_column: str,
    feature_column: str | None = None,
    skip_bad: bool = False,
    encoding: str = "utf-8-sig",
    name: str | None = None,
) -> TaskTable:
    """Loads numbers that a CSV file lists by task: house prices by town.

    The first line names the columns; commas, semicolons and tabs separate them.

    Args:
        path: The CSV file.
        task_column: The column that says which task a row is of.
        target_column: What is to be predicted; several columns are separated by commas.
        feature_column: What it is predicted from, likewise; `None` for all other
            columns, which must then be of numbers.
        skip_bad: Whether lines that something is wrong with are left out; `notes` of
            the table says which.
        encoding: Encoding of the file. The default takes UTF-8 with or without a byte
            order mark.
        name: Name of the table; by default that of the file without its suffix.

    Returns:
        A table in float64, tasks sorted by name, their rows in the order of the lines.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it cannot be read, a column is missing, is chosen twice or is
            not of numbers, or a field is empty or no finite number (with the line).

    Example:

    ```python
    # houses.csv: town,size,rooms,price
    #             Ulm,120,4,410000
    load_task_csv("houses.csv", task_column="town", target_column="price")
    ```
    """
    path = Path(path)
    names = column_names(path, [task_column], encoding)
    targets = _chosen("target_column", target_column, names)
    given = None
    if feature_column is not None:
        given = _chosen("feature_column", feature_column, names)
    features = given or [n for n in names if n not in (task_column, *targets)]
    columns = [task_column, *targets, *features]
    _check_columns(path, names, columns)
    if not features:
        raise ValueError(
            f"CSV file {str(path)!r} must have a column besides {task_column!r} and "
            f"{', '.join(map(repr, targets))}, to predict from. Received: none"
        )
    problems = Problems(skip_bad=skip_bad)
    rows = list(csv_rows(path, columns, encoding, problems=problems, may_be_empty=True))
    if given is None:
        _refuse_words(path, features, [row[-len(features) :] for _, row in rows])
    tasks: list[str] = []
    numbers: list[list[float]] = []
    for line, (task, *fields) in rows:
        with problems.of_one():
            if not task:
                raise ValueError(
                    f"{path}, line {line}: {task_column!r} must not be empty. "
                    "Received: nothing"
                )
            numbers.append(list(_numbers(path, line, columns[1:], fields)))
            tasks.append(unicodedata.normalize("NFC", task))
    problems.refuse()
    if not tasks:
        raise ValueError(
            f"CSV file {str(path)!r} must have a row of numbers. Received: "
            + ("none that is right" if problems.found else "a header alone")
        )
    values = np.array(numbers, np.float64)
    return TaskTable.from_arrays(
        path.stem if name is None else name,
        values[:, len(targets) :],
        values[:, : len(targets)],
        tasks,
        feature_names=features,
        target_names=targets,
        description=f"{', '.join(targets)} of {path} by {task_column}",
        notes=problems.notes(path),
    )


def _chosen(option: str, words: str, names: Sequence[str]) -> list[str]:
    """The columns that a text names: one, or several separated by commas."""
    if words.strip() in names:
        return [words.strip()]
    chosen = [word.strip() for word in next(csv.reader([words], skipinitialspace=True))]
    missing = [word for word in chosen if word not in names]
    if missing:
        raise ValueError(
            f"`{option}` must name columns of the file, which has "
            f"{', '.join(names)}; several are separated by commas. Received: "
            f"{', '.join(map(repr, missing))}, not among them"
        )
    return chosen


def _check_columns(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    """Refuses columns that are named twice, in the file or by the options."""
    for column in columns:
        if not column or names.count(column) > 1:
            raise ValueError(
                f"each column of CSV file {str(path)!r} must have a name of its own; "
                f"{_CHOOSE}. Received: "
                + (f"{column!r} more than once" if column else "one without a name")
            )
        if columns.count(column) > 1:
            raise ValueError(
                "`task_column`, `target_column` and `feature_column` must name "
                f"different columns. Received: {column!r} more than once"
            )


def _refuse_words(path: Path, columns: Sequence[str], rows: list[list[str]]) -> None:
    """Refuses columns of words, by name; single fields are refused by their lines."""
    of_words = []
    for place, column in enumerate(columns):
        fields = [row[place] for row in rows if row[place]]
        wrong = [field for field in fields if _number(field) is None]
        if 2 * len(wrong) > len(fields) or not fields:
            of_words.append(
                f"{column!r} ({wrong[0][:40]!r})" if wrong else repr(column)
            )
    if rows and of_words:
        raise ValueError(
            f"the columns of CSV file {str(path)!r} that a target is predicted from "
            f"must be of numbers, and {_CHOOSE}. Received: {', '.join(of_words)}, "
            "which hold none"
        )


def _numbers(
    path: Path, line: int, columns: Sequence[str], fields: Sequence[str]
) -> Iterator[float]:
    for column, field in zip(columns, fields, strict=True):
        value = _number(field)
        if value is None or not abs(value) <= _LARGEST:
            raise ValueError(
                f"{path}, line {line}: {column!r} must be a finite number, with a "
                f"decimal point, at most {_LARGEST:g}. Received: "
                + (repr(field[:40]) if field else "nothing")
            )
        yield value


def _number(field: str) -> float | None:
    """The number of a field; Python alone reads `1_000` as one."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None
