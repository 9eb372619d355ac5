"""A task in folders of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.labelled_examples import LabelledExamples, labelled_examples
from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.task import Task, check_classes, number_labels


def find_picture_task(
    support: Path, query: Path, *, unknown_classes: bool = False
) -> Task[Path]:
    """Lists the files of a task; none is opened.

    Args:
        support: Folder with a sub-folder of pictures per class, as of
            `tfmeta.datasets.own.class_folders.list_class_files`, or a CSV file with
            the columns `path` and `label`.
        query: A picture, a folder of pictures, or one with a sub-folder of them per
            class, named as in `support`.
        unknown_classes: Whether sub-folders of `query` may have other names.

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
    given = labelled_examples(support)
    return make_picture_task(given, support, query, unknown_classes=unknown_classes)


def make_picture_task(
    support: LabelledExamples,
    source: Path,
    query: Path,
    *,
    unknown_classes: bool = False,
) -> Task[Path]:
    """The same of pictures that are listed.

    Args:
        support: Pictures with their classes.
        source: Where they come from, for the message.
        query: As of `find_picture_task`.
        unknown_classes: Likewise.

    Raises:
        FileNotFoundError, ValueError: As `find_picture_task`.
    """
    names = support.class_names
    check_classes(names, source)
    queries = QueryFiles.found(query, names, unknown_classes=unknown_classes)
    return Task(
        class_names=names,
        support=tuple(map(Path, support.examples)),
        support_labels=number_labels(support.labels, names),
        query=queries.paths,
        query_names=queries.names,
        query_labels=queries.labels,
        notes=support.notes,
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
