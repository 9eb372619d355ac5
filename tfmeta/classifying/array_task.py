"""A task of arrays: vectors, series, or whatever else is numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmeta.classifying.labelled_examples import LabelledExamples
from tfmeta.classifying.query_arrays import QueryArrays
from tfmeta.classifying.task import Task, check_classes, number_labels


def make_array_task(
    support: LabelledExamples, source: Path, query: Path, *, skip_bad: bool = False
) -> Task[np.ndarray]:
    """A task of arrays that are read.

    Args:
        support: Arrays with their classes.
        source: Where they come from, for the message.
        query: As of `QueryArrays.found`.
        skip_bad: Likewise.

    Raises:
        FileNotFoundError: When nothing is at `query`.
        ValueError: When there are fewer than two classes, or queries are no such
            arrays.

    Example:

    ```python
    support = labelled_examples(Path("labelled.npz"))
    make_array_task(support, Path("labelled.npz"), Path("new.npy")).class_names
    ```
    """
    examples = np.asarray(support.examples)
    names = support.class_names
    check_classes(names, source)
    shape = examples.shape[1:]
    queries = QueryArrays.found(query, names, shape, skip_bad=skip_bad)
    return Task(
        class_names=names,
        support=tuple(examples),
        support_labels=number_labels(support.labels, names),
        query=tuple(queries.arrays),
        query_names=queries.names,
        query_labels=queries.labels,
        notes=(*support.notes, *queries.notes),
    )


def check_vectors(task: Task[np.ndarray], source: Path) -> None:
    """Checks that examples can be compared as they are.

    Raises:
        ValueError: When they are no vectors.
    """
    shape = task.support[0].shape
    dtype = np.result_type(task.support[0].dtype, task.query[0].dtype)
    if len(shape) != 1 or dtype.kind == "c":
        raise ValueError(
            "examples must be vectors of real numbers, which are compared as they are, "
            "without RUN; a RUN of `tfmeta train` has an encoder for others. Received: "
            f"{dtype} arrays of shape {shape} in {source}"
        )
