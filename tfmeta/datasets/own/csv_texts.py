"""A CSV file of texts and class names as a class table."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.csv_columns import CsvColumns, is_csv
from tfmeta.datasets.own.csv_rows import csv_rows
from tfmeta.datasets.own.labelled_files import check_one_group

USUAL_COLUMNS = CsvColumns()


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """Texts with their classes, in the order of their lines.

    Attributes:
        texts: The texts.
        labels: The class name of each, in Unicode's composed form (NFC).
        lines: The number of the line that ends each.
        groups: Group name by class name, or `None`.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    lines: tuple[int, ...]
    groups: dict[str, str] | None = None


def is_text_csv(
    path: str | os.PathLike[str], columns: CsvColumns = USUAL_COLUMNS
) -> bool:
    """Whether a path is a CSV file of texts, not of paths.

    Raises:
        ValueError: When it is a CSV file whose first line names neither the columns
            of texts nor those of paths.
    """
    path = Path(path)
    return is_csv(path) and columns.of_file(path).kind == "texts"


def read_labelled_texts(
    path: Path, columns: CsvColumns = USUAL_COLUMNS
) -> LabelledTexts:
    """The texts of a CSV file, and their classes.

    Args:
        path: The file.
        columns: What its columns are called.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it cannot be read, or has no text, or a class has two groups;
            with the line.
    """
    found = columns.of_file(path)
    wanted = [found.example, found.label, *([found.group] if found.group else [])]
    texts, labels, lines = [], [], []
    groups: dict[str, str] = {}
    for line, (text, label, *group) in csv_rows(path, wanted):
        label = unicodedata.normalize("NFC", label)
        for one in group:
            check_one_group(groups, label, one, f"{path}, line {line}")
        texts.append(text)
        labels.append(label)
        lines.append(line)
    if not texts:
        raise ValueError(
            f"{path} must list at least one text. Received: a header alone"
        )
    return LabelledTexts(
        texts=tuple(texts),
        labels=tuple(labels),
        lines=tuple(lines),
        groups=groups if found.group else None,
    )


def load_text_csv(
    path: str | os.PathLike[str],
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    name: str | None = None,
) -> ClassTable:
    """Loads the texts that a CSV file lists with their classes.

    The first line names the columns; commas, semicolons and tabs separate them.

    Args:
        path: The CSV file, in UTF-8.
        text_column: Name of the column of texts; `None` for `"text"`.
        label_column: Name of the column of class names; `None` for `"label"`.
        group_column: Name of a column that says which group each class belongs
            to, or `None`.
        name: Name of the table; by default that of the file without its suffix.

    Returns:
        A table of shape `(texts,)` and dtype object that holds str, classes sorted
        by name, the texts of each in the order of the lines, groups named after
        `group_column`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it cannot be read, a column is missing, a field is empty, a
            class has two groups, or it has no text; with the line.

    Example:

    ```python
    # intents.csv: utterance,intent,domain
    #              where is my parcel,delivery,shop
    table = load_text_csv(
        "intents.csv", text_column="utterance", label_column="intent"
    )
    table.class_names  # ('billing', 'delivery')
    ```
    """
    path = Path(path)
    columns = CsvColumns(
        text_column="text" if text_column is None else text_column,
        label_column=label_column,
        group_column=group_column,
    )
    found = read_labelled_texts(path, columns)
    return ClassTable.from_arrays(
        path.stem if name is None else name,
        np.array(found.texts, object),
        found.labels,
        groups=found.groups,
        group_level="group" if group_column is None else group_column,
        description=f"texts of {path}",
    )
