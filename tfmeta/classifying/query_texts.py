"""The texts to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.query_files import QueryFiles, read_all
from tfmeta.classifying.task import number_labels
from tfmeta.datasets.own.class_folders import list_class_files, list_files
from tfmeta.datasets.own.csv_columns import CSV_SUFFIXES, LABEL, TEXT, CsvColumns
from tfmeta.datasets.own.csv_rows import csv_rows
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS
from tfmeta.datasets.own.labelled_files import TEXT_SUFFIX, kind_of_files
from tfmeta.datasets.own.text_files import ACCEPTED_TEXT, read_text_file
from tfmeta.datasets.reading.text_files import MAX_BYTES, read_text

# What stands for the lines of standard input.
STANDARD_INPUT = Path("-")


@dataclasses.dataclass(frozen=True)
class QueryTexts:
    """Texts of queries.

    Attributes:
        texts: The texts.
        names: What each is called in the answers: the text itself, or its file's path
            below the folder, with slashes.
        labels: Int32 `(queries,)`: class of each, -1 for one that the support does
            not have; `None` where nothing says it.
        notes: What was left out, one sentence each.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    labels: np.ndarray | None
    notes: tuple[str, ...] = ()

    @classmethod
    def found(
        cls,
        path: Path,
        class_names: Sequence[str],
        *,
        unknown_classes: bool,
        columns: CsvColumns = USUAL_COLUMNS,
        named_by: str = "the support",
        skip_bad: bool = False,
    ) -> QueryTexts:
        """Those of a folder of `.txt` files, of a CSV file, or of the lines of a file.

        Args:
            path: A folder of `.txt` files, one text each, or of a sub-folder of them
                per class; a CSV file with a column of texts, and one of classes where
                the answers are to be checked; or any other file, a text a line, or
                `-` for the lines of standard input. Empty lines are passed over.
            class_names: Classes of the support.
            unknown_classes: Whether there may be others.
            columns: What the columns of a CSV file are called.
            named_by: Whose classes they are, for the messages.
            skip_bad: Whether files of a folder that cannot be read are left out.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When a file cannot be read, there is no text, or one of another
                class.
        """
        if path == STANDARD_INPUT:
            return cls._of_lines(_standard_input(), "standard input")
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
            return cls._of_files(files, path, skip_bad=skip_bad)
        if path.suffix.lower() not in CSV_SUFFIXES:
            return cls._of_lines(read_text(path.parent, path.name), str(path))
        texts, named = _columns(path, columns)
        if not texts:
            raise _none(str(path))
        labels = None
        if named:
            column = columns.label_column or LABEL
            _check_known(named, class_names, path, column, unknown_classes)
            labels = number_labels(named, class_names, unknown=unknown_classes)
        return cls(texts, texts, labels)

    @classmethod
    def _of_lines(cls, text: str, source: str) -> QueryTexts:
        texts = tuple(line.strip() for line in text.split("\n") if line.strip())
        if not texts:
            raise _none(source)
        return cls(texts, texts, None)

    @classmethod
    def _of_files(cls, files: QueryFiles, path: Path, *, skip_bad: bool) -> QueryTexts:
        if kind_of_files(files.paths, path) != "texts":
            raise ValueError(
                f"folder {str(path)!r} must hold .txt files, as the classes are of "
                f"texts. Received: {files.paths[0].name!r}"
            )
        texts, left, notes = read_all(
            files, read_text_file, ACCEPTED_TEXT, what="text", skip_bad=skip_bad
        )
        return cls(tuple(texts), left.names, left.labels, notes)


def holds_texts(path: Path) -> bool:
    """Whether a path is one of texts, by its name or those of the files in it.

    A `.csv`, `.tsv` or `.txt` file, `-` for standard input, or a folder of `.txt`
    files, with a sub-folder for each class or without.
    """
    if path == STANDARD_INPUT:
        return True
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


def _none(source: str) -> ValueError:
    return ValueError(f"{source} must hold at least one text. Received: 0")


def _standard_input() -> str:
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"standard input must hold at most {MAX_BYTES:,} bytes. Received: more"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"standard input must be text in UTF-8. Received: {error}"
        ) from error


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
