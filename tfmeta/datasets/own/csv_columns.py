"""Which columns of somebody's CSV file hold what."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Literal

from tfmeta.datasets.own.csv_rows import DELIMITERS, first_line

CSV_SUFFIXES = (".csv", ".tsv")

# What columns are called where nobody says it.
TEXT, PATH, LABEL = "text", "path", "label"
_MOST_NAMED = 20


@dataclasses.dataclass(frozen=True)
class CsvColumns:
    """Names of the columns of a CSV file, as far as somebody gives them.

    Attributes:
        text_column: That of texts; `None` for `"text"`, where the file has it.
        path_column: That of paths, in a file that lists other files; `None` for
            `"path"`, where it has no texts.
        label_column: That of class names; `None` for `"label"`.
        group_column: That of the group of each class; `None` for no groups.

    Raises:
        ValueError: When two of them are one column, or both texts and paths are given.
    """

    text_column: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None

    def __post_init__(self) -> None:
        if self.text_column is not None and self.path_column is not None:
            raise ValueError(
                "`text_column` must be left out where `path_column` is given: examples "
                f"are texts or files. Received: text_column={self.text_column!r} and "
                f"path_column={self.path_column!r}"
            )
        roles: dict[str, str] = {}
        for role, name in self.given.items():
            if roles.setdefault(name, role) != role:
                raise ValueError(
                    f"`{role}` must be another column than `{roles[name]}`. Received: "
                    f"{role}={name!r} for both"
                )

    @property
    def given(self) -> dict[str, str]:
        """The names that are given, by argument."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def refuse(self, what: str) -> None:
        """Refuses names of columns for what has none.

        Args:
            what: What it is, for the message.

        Raises:
            ValueError: When one is given.
        """
        for role, name in self.given.items():
            raise ValueError(
                f"`{role}` must be left out for {what}; it is for CSV files. Received: "
                f"{role}={name!r}"
            )

    def of_file(self, path: Path) -> FoundColumns:
        """The columns of a file.

        Args:
            path: A CSV file; its first line names the columns.

        Raises:
            FileNotFoundError: When there is no such file.
            ValueError: When it has no such column, or has one twice; names those
                that are there.
        """
        header = first_line(path)
        label = LABEL if self.label_column is None else self.label_column
        found: list[FoundColumns] = []
        if self.path_column is None:
            text = TEXT if self.text_column is None else self.text_column
            found.append(FoundColumns("texts", text, label, self.group_column))
        if self.text_column is None:
            file = PATH if self.path_column is None else self.path_column
            found.append(FoundColumns("paths", file, label, self.group_column))
        named = [_names(header, delimiter) for delimiter in DELIMITERS]
        for columns in found:
            for names in named:
                if columns.names <= set(names):
                    columns.check_once(names, path)
                    return columns
        raise self._missing(path, max(named, key=len))

    def _missing(self, path: Path, names: list[str]) -> ValueError:
        """What to say of the first column that the file does not have."""
        there = ", ".join(map(repr, names[:_MOST_NAMED])) or "none"
        more = len(names) - _MOST_NAMED
        there += f" and {more:,} more" if more > 0 else ""
        of_file = f"a column of {path}, whose first line names {there}"
        for role, name in self.given.items():
            if name not in names:
                return ValueError(f"`{role}` must be {of_file}. Received: {name!r}")
        usual: dict[str, tuple[str, ...]] = {"label_column": (LABEL,)}
        if not {"text_column", "path_column"} & self.given.keys():
            usual = {"text_column": (TEXT, PATH), **usual}
        for role, wanted in usual.items():
            if role not in self.given and not set(wanted) & set(names):
                said = " and no ".join(repr(name) for name in wanted)
                return ValueError(
                    f"`{role}` must be {of_file}. Received: none is given, and there "
                    f"is no {said}"
                )
        return ValueError(
            f"the columns of {path} must be separated all by commas, by semicolons or "
            f"by tabs. Received: {there}"
        )


@dataclasses.dataclass(frozen=True)
class FoundColumns:
    """The columns of one file.

    Attributes:
        kind: What an example is: a text, or the path of a file.
        example: The column of it.
        label: That of the class.
        group: That of the group of the class, or `None`.
    """

    kind: Literal["texts", "paths"]
    example: str
    label: str
    group: str | None

    @property
    def names(self) -> set[str]:
        """All of them."""
        return {self.example, self.label} | ({self.group} if self.group else set())

    def check_once(self, names: list[str], path: Path) -> None:
        """Checks that none of them comes twice.

        Raises:
            ValueError: When one does: which of the two is meant nobody knows.
        """
        for name in sorted(self.names):
            if names.count(name) > 1:
                raise ValueError(
                    f"column {name!r} of {path} must be there once. Received: "
                    f"{names.count(name)} of that name"
                )


def is_csv(path: Path) -> bool:
    """Whether a path is a CSV file, by its name."""
    return path.suffix.lower() in CSV_SUFFIXES and path.is_file()


def _names(header: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
    return [name.strip() for name in row]
