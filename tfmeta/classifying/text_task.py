"""A task in files of texts: a CSV file with classes, and one to classify."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.picture_task import check_classes
from tfmeta.classifying.task import Task, number_labels
from tfmeta.datasets.own.csv_rows import csv_rows
from tfmeta.datasets.own.csv_texts import CSV_SUFFIXES, read_labelled_texts
from tfmeta.datasets.reading.text_files import read_text


def is_text_file(query: Path) -> bool:
    """Whether `--query` is one of texts, by its name, where no `--support` says it."""
    return query.suffix.lower() in (*CSV_SUFFIXES, ".txt") and not query.is_dir()


def read_text_task(
    support: Path, query: Path, *, unknown_classes: bool = False
) -> Task[str]:
    """Reads the texts of a task.

    Args:
        support: A CSV file with the columns `text` and `label`.
        query: A CSV file with the column `text`, and `label` where the answers are
            to be checked; or any other file, a text a line. Empty lines are passed
            over.
        unknown_classes: Whether classes of `query` may be others than those of
            `support`.

    Raises:
        FileNotFoundError: When one of them is missing.
        ValueError: When a file cannot be read, has no text, or there are fewer than
            two classes; with the line.

    Example:

    ```python
    task = read_text_task(Path("labelled.csv"), Path("new.txt"))
    task.class_names  # ('balance', 'transfer')
    ```
    """
    texts, labels = read_labelled_texts(support)
    names = tuple(sorted(set(labels)))
    check_classes(names, support)
    queries, query_labels = _queries(query, names, unknown_classes)
    return Task(
        class_names=names,
        support=texts,
        support_labels=number_labels(labels, names),
        query=queries,
        query_names=queries,
        query_labels=query_labels,
    )


def read_named_texts(
    class_names: Sequence[str], query: Path, *, unknown_classes: bool = False
) -> Task[str]:
    """The same where classes are known by their names alone.

    Args:
        class_names: The classes, each once.
        query: As of `read_text_task`.
        unknown_classes: Likewise.

    Raises:
        FileNotFoundError, ValueError: As `read_text_task`.
    """
    names = tuple(class_names)
    texts, labels = _queries(query, names, unknown_classes)
    return Task(
        class_names=names,
        support=(),
        support_labels=np.empty(0, np.int32),
        query=texts,
        query_names=texts,
        query_labels=labels,
    )


def _queries(
    path: Path, class_names: tuple[str, ...], unknown_classes: bool
) -> tuple[tuple[str, ...], np.ndarray | None]:
    if path.is_dir() or not path.exists():
        raise FileNotFoundError(
            f"`--query` must be a file of texts, as --support is. Received: {path}, "
            + ("a folder" if path.is_dir() else "and nothing is there")
        )
    if path.suffix.lower() not in CSV_SUFFIXES:
        lines = read_text(path.parent, path.name).split("\n")
        texts = tuple(line.strip() for line in lines if line.strip())
        labels = None
    else:
        rows = [fields for _, fields in csv_rows(path, ["text"], optional=["label"])]
        texts = tuple(row[0] for row in rows)
        named = [unicodedata.normalize("NFC", row[1]) for row in rows if len(row) > 1]
        labels = _labels(named, path, class_names, unknown_classes) if named else None
    if not texts:
        raise ValueError(f"{path} must hold at least one text. Received: 0")
    return texts, labels


def _labels(
    named: list[str], path: Path, class_names: tuple[str, ...], unknown_classes: bool
) -> np.ndarray:
    others = sorted(set(named) - set(class_names))
    if others and not unknown_classes:
        raise ValueError(
            f"classes in the column `label` of {path} must be among the support's, "
            f"{', '.join(class_names[:20])}. Received: {', '.join(others[:20])}"
        )
    return number_labels(named, class_names, unknown=unknown_classes)
