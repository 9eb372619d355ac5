"""The texts to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.task import number_labels
from tfmeta.datasets.own.class_folders import list_class_files, list_files
from tfmeta.datasets.own.csv_columns import CSV_SUFFIXES, LABEL, TEXT, CsvColumns
from tfmeta.datasets.own.csv_rows import csv_rows
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS
from tfmeta.datasets.own.labelled_files import TEXT_SUFFIX, kind_of_files
from tfmeta.datasets.own.text_files import ACCEPTED_TEXT, read_text_file
from tfmeta.datasets.reading.text_files import read_text
from tfmeta.datasets.reading.unreadable import find_unreadable, refuse_unreadable


@dataclasses.dataclass(frozen=True)
class QueryTexts:
    """Texts of queries.

    Attributes:
        texts: The texts.
        names: What each is called in the answers: the text itself, or its file's path
            below the folder, with slashes.
        labels: Int32 `(queries,)`: class of each, -1 for one that the support does
            not have; `None` where nothing says it.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    labels: np.ndarray | None

    @classmethod
    def found(
        cls,
        path: Path,
        class_names: Sequence[str],
        *,
        unknown_classes: bool,
        columns: CsvColumns = USUAL_COLUMNS,
        named_by: str = "the support",
    ) -> QueryTexts:
        """Those of a folder of `.txt` files, of a CSV file, or of the lines of a file.

        Args:
            path: A folder of `.txt` files, one text each, or of a sub-folder of them
                per class; a CSV file with a column of texts, and one of classes where
                the answers are to be checked; or any other file, a text a line. Empty
                lines are passed over.
            class_names: Classes of the support.
            unknown_classes: Whether there may be others.
            columns: What the columns of a CSV file are called.
            named_by: Whose classes they are, for the messages.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When a file cannot be read, there is no text, or one of another
                class.
        """
        if not path.exists():
            raise FileNotFoundError(
                f"`--query` must be a file or a folder of texts. Received: {path}, and "
                "nothing is there"
            )
        if path.is_dir():
            files = QueryFiles.found(
                path,
                class_names,
                unknown_classes=unknown_classes,
                named_by=named_by,
                what="text",
            )
            return cls(_read_all(files.paths, path), files.names, files.labels)
        if path.suffix.lower() not in CSV_SUFFIXES:
            texts = _lines(read_text(path.parent, path.name))
            labels = None
        else:
            texts, named = _columns(path, columns)
            labels = None
            if named:
                column = columns.label_column or LABEL
                _check_known(named, class_names, path, column, unknown_classes)
                labels = number_labels(named, class_names, unknown=unknown_classes)
        if not texts:
            raise ValueError(f"{path} must hold at least one text. Received: 0")
        return cls(texts, texts, labels)


def holds_texts(path: Path) -> bool:
    """Whether a path is one of texts, by its name or those of the files in it.

    A `.csv`, `.tsv` or `.txt` file, or a folder of `.txt` files, with a sub-folder
    for each class or without.
    """
    if not path.is_dir():
        return path.suffix.lower() in (*CSV_SUFFIXES, TEXT_SUFFIX)
    try:
        files = list_files(path)
    except ValueError:
        try:
            files = list(list_class_files(path).files)
        except ValueError:
            return False  # Said where it is read.
    suffixes = {file.suffix.lower() for file in files}
    return TEXT_SUFFIX in suffixes and kind_of_files(files, path) == "texts"


def _read_all(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    if kind_of_files(paths, folder) != "texts":
        raise ValueError(
            f"folder {str(folder)!r} must hold .txt files, as the classes are of "
            f"texts. Received: {paths[0].name!r}"
        )
    try:
        return tuple(map(read_text_file, paths))
    except (ValueError, OSError):
        wrong = find_unreadable(paths, read_text_file)
        refuse_unreadable(wrong, len(paths), ACCEPTED_TEXT, what="text")
        raise


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())


def _columns(path: Path, columns: CsvColumns) -> tuple[tuple[str, ...], list[str]]:
    """The texts of a CSV file, and their classes where it has them."""
    text = TEXT if columns.text_column is None else columns.text_column
    label = LABEL if columns.label_column is None else columns.label_column
    rows = [fields for _, fields in csv_rows(path, [text], optional=[label])]
    named = [unicodedata.normalize("NFC", row[1]) for row in rows if len(row) > 1]
    return tuple(row[0] for row in rows), named


def _check_known(
    named: Sequence[str],
    class_names: Sequence[str],
    path: Path,
    column: str,
    unknown_classes: bool,
) -> None:
    others = sorted(set(named) - set(class_names))
    if others and not unknown_classes:
        raise ValueError(
            f"classes in the column `{column}` of {path} must be among the support's, "
            f"{', '.join(class_names[:20])}. Received: {', '.join(others[:20])}"
        )
