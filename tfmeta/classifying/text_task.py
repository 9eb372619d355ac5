"""A task of texts: a CSV file or folders with classes, and others to classify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.labelled_examples import LabelledExamples
from tfmeta.classifying.query_texts import QueryTexts
from tfmeta.classifying.task import Task, check_classes, number_labels
from tfmeta.datasets.own.csv_columns import CsvColumns
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS


def make_text_task(
    support: LabelledExamples,
    source: Path,
    query: Path,
    *,
    columns: CsvColumns = USUAL_COLUMNS,
    skip_bad: bool = False,
) -> Task[str]:
    """A task of texts that are read.

    Args:
        support: Texts with their classes.
        source: Where they come from, for the message.
        query: As of `QueryTexts.found`.
        columns: What the columns of CSV files are called.
        skip_bad: As of `QueryTexts.found`.

    Raises:
        FileNotFoundError: When nothing is at `query`.
        ValueError: When a file cannot be read, has no text, or there are fewer than
            two classes; with the line.

    Example:

    ```python
    support = labelled_examples(Path("labelled.csv"))
    task = make_text_task(support, Path("labelled.csv"), Path("new.txt"))
    task.class_names  # ('balance', 'transfer')
    ```
    """
    names = support.class_names
    check_classes(names, source)
    queries = QueryTexts.found(
        query, names, unknown_classes=False, columns=columns, skip_bad=skip_bad
    )
    return Task(
        class_names=names,
        support=tuple(map(str, support.examples)),
        support_labels=number_labels(support.labels, names),
        query=queries.texts,
        query_names=queries.names,
        query_labels=queries.labels,
        notes=(*support.notes, *queries.notes),
    )


def read_named_texts(
    class_names: Sequence[str],
    query: Path,
    *,
    unknown_classes: bool = False,
    columns: CsvColumns = USUAL_COLUMNS,
    named_by: str = "the support",
    skip_bad: bool = False,
) -> Task[str]:
    """The same where classes are known by their names alone.

    Args:
        class_names: The classes, each once.
        query: As of `make_text_task`.
        unknown_classes: Whether classes of `query` may be others than those.
        columns: What the columns of CSV files are called.
        named_by: Whose classes they are, for the messages.
        skip_bad: As of `QueryTexts.found`.

    Raises:
        FileNotFoundError, ValueError: As `make_text_task`.
    """
    names = tuple(class_names)
    queries = QueryTexts.found(
        query,
        names,
        unknown_classes=unknown_classes,
        columns=columns,
        named_by=named_by,
        skip_bad=skip_bad,
    )
    return Task(
        class_names=names,
        support=(),
        support_labels=np.empty(0, np.int32),
        query=queries.texts,
        query_names=queries.names,
        query_labels=queries.labels,
        notes=queries.notes,
    )
