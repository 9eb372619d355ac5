"""A CSV file of texts and class names as a class table."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.csv_rows import csv_rows, has_columns

CSV_SUFFIXES = (".csv", ".tsv")
COLUMNS = ("text", "label")


def is_text_csv(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a CSV file of texts, not of paths.

    Raises:
        ValueError: When it is a CSV file whose first line names neither the columns
            of texts nor those of paths.
    """
    path = Path(path)
    if path.suffix.lower() not in CSV_SUFFIXES or not path.is_file():
        return False
    if has_columns(path, COLUMNS):
        return True
    if not has_columns(path, ("path", "label")):
        raise ValueError(
            f"the first line of {path} must name the columns `text` and `label`, or "
            "`path` and `label` for files, separated by commas, semicolons or tabs. "
            "Received: others"
        )
    return False


def read_labelled_texts(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts of a CSV file with the columns `text` and `label`, and their classes.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it cannot be read, or has no text; with the line.
    """
    rows = [fields for _, fields in csv_rows(path, COLUMNS)]
    if not rows:
        raise ValueError(
            f"{path} must list at least one text. Received: a header alone"
        )
    texts, labels = zip(*rows, strict=True)
    return texts, tuple(unicodedata.normalize("NFC", label) for label in labels)


def load_text_csv(
    path: str | os.PathLike[str], *, name: str | None = None
) -> ClassTable:
    """Loads the texts that a CSV file lists with their classes.

    The first line names the columns, `text` and `label` among them; commas,
    semicolons and tabs separate them.

    Args:
        path: The CSV file, in UTF-8.
        name: Name of the table; by default that of the file without its suffix.

    Returns:
        A table of shape `(texts,)` and dtype object that holds str, classes sorted
        by name, the texts of each in the order of the lines.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it cannot be read, a column is missing, a field is empty, or
            it has no text; with the line.

    Example:

    ```python
    # intents.csv: text,label
    #              where is my parcel,delivery
    load_text_csv("intents.csv").class_names  # ('billing', 'delivery')
    ```
    """
    path = Path(path)
    texts, labels = read_labelled_texts(path)
    return ClassTable.from_arrays(
        path.stem if name is None else name,
        np.array(texts, object),
        labels,
        description=f"texts of {path}",
    )
