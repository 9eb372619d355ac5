"""A task in folders of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.task import Task, check_classes, number_labels
from tfmeta.datasets.own.csv_columns import CsvColumns
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS
from tfmeta.datasets.own.open_own import list_own_files


def find_picture_task(
    support: Path,
    query: Path,
    *,
    unknown_classes: bool = False,
    columns: CsvColumns = USUAL_COLUMNS,
) -> Task[Path]:
    """Lists the files of a task; none is opened.

    Args:
        support: Folder with a sub-folder of pictures per class, as of
            `tfmeta.datasets.own.class_folders.list_class_files`, or a CSV file with
            the columns `path` and `label`.
        query: A picture, a folder of pictures, or one with a sub-folder of them per
            class, named as in `support`.
        unknown_classes: Whether sub-folders of `query` may have other names.
        columns: What the columns of a CSV file are called.

    Raises:
        FileNotFoundError: When one of them is missing.
        ValueError: When a folder is empty, holds what does not belong there, or
            there are fewer than two classes.

    Example:

    ```python
    task = find_picture_task(Path("my_classes"), Path("new_images"))
    task.class_names  # ('cup', 'spoon')
    ```
    """
    files = list_own_files(support, columns=columns)
    names = files.class_names
    check_classes(names, support)
    queries = QueryFiles.found(query, names, unknown_classes=unknown_classes)
    return Task(
        class_names=names,
        support=files.files,
        support_labels=number_labels(files.labels, names),
        query=queries.paths,
        query_names=queries.names,
        query_labels=queries.labels,
        notes=files.notes,
    )


def find_named_task(
    class_names: Sequence[str],
    query: Path,
    *,
    unknown_classes: bool = False,
    named_by: str = "the support",
) -> Task[Path]:
    """The same where classes are known by their names alone.

    Args:
        class_names: The classes, each once.
        query: As of `find_picture_task`.
        unknown_classes: Likewise.
        named_by: Whose classes they are, for the messages.

    Raises:
        FileNotFoundError, ValueError: As `find_picture_task`.
    """
    queries = QueryFiles.found(
        query, class_names, unknown_classes=unknown_classes, named_by=named_by
    )
    return Task(
        class_names=tuple(class_names),
        support=(),
        support_labels=np.empty(0, np.int32),
        query=queries.paths,
        query_names=queries.names,
        query_labels=queries.labels,
    )
