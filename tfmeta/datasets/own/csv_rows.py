"""The rows of a CSV file from somebody's spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfmeta.datasets.reading.unreadable import Problems

DELIMITERS = (",", ";", "\t")
_LONGEST_HEADER = 2**20


def csv_rows(
    path: Path,
    columns: Sequence[str],
    encoding: str = "utf-8-sig",
    *,
    optional: Sequence[str] = (),
    problems: Problems | None = None,
    may_be_empty: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file whose first line names its columns.

    Commas, semicolons and tabs separate them. Empty lines are passed over, and blanks
    around a field dropped.

    Args:
        path: The file.
        columns: The columns wanted; others are passed over.
        encoding: Its encoding. The default takes UTF-8 with or without a byte order
            mark.
        optional: Columns that are given after those, where the file has all of them.
        problems: Keeps what is wrong with rows, which are passed over; `None` to raise
            it at once.
        may_be_empty: Whether fields may be empty.

    Yields:
        The number of the line that ends the row, and its fields in the order of
        `columns` and `optional`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file cannot be read, a column is missing, or a field is
            empty; with the line.

    Example:

    ```python
    [fields for _, fields in csv_rows(Path("intents.csv"), ["text", "label"])]
    ```
    """
    if not path.is_file():
        raise _not_there(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = file.readline(_LONGEST_HEADER)
            delimiter = _delimiter(path, header, columns)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = [n.strip() for n in next(reader)]
            if set(optional) <= set(names):
                columns = [*columns, *optional]
            places = [names.index(c) for c in columns]
            wanted = dict(zip(columns, places, strict=True))
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                wrong = _wrong(row, names, {} if may_be_empty else wanted)
                if wrong is not None:
                    error = ValueError(f"{path}, line {reader.line_num}: {wrong}")
                    if problems is None:
                        raise error
                    problems.found.append(error)
                    continue
                yield reader.line_num, [row[place].strip() for place in places]
    except UnicodeError as error:
        raise _not_in(encoding, path, error) from error
    except LookupError as error:
        raise ValueError(
            "`encoding` must be one that Python knows, such as 'utf-8' or 'cp1252'. "
            f"Received: {encoding!r}"
        ) from error
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {reader.line_num}: the line must be valid CSV. Received: "
            f"{error}"
        ) from error


def _wrong(row: list[str], names: list[str], wanted: Mapping[str, int]) -> str | None:
    """What is wrong with a row, if anything is; what is wanted must not be empty."""
    if len(row) != len(names):
        return (
            f"there must be {len(names)} fields, as in the header. Received: {len(row)}"
        )
    for column, place in wanted.items():
        if not row[place].strip():
            return f"{column!r} must not be empty. Received: nothing"
    return None


def first_line(path: Path, encoding: str = "utf-8-sig") -> str:
    """The line of a CSV file that names its columns.

    Args:
        path: The file.
        encoding: Its encoding.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the line is too long, or not in that encoding.
    """
    if not path.is_file():
        raise _not_there(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            line = file.readline(_LONGEST_HEADER + 1)
    except UnicodeError as error:
        raise _not_in(encoding, path, error) from error
    if len(line) > _LONGEST_HEADER:
        raise ValueError(
            f"the first line of {path} must name columns in at most "
            f"{_LONGEST_HEADER:,} characters. Received: more"
        )
    return line


def _not_there(path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"CSV file {str(path)!r} must exist. Received: "
        + ("a folder" if path.exists() else "nothing there")
    )


def _not_in(encoding: str, path: Path, error: UnicodeError) -> ValueError:
    return ValueError(
        f"CSV file {str(path)!r} must be text in the encoding {encoding!r} "
        f"(spreadsheets also write 'cp1252' and 'utf-16'). Received: {error}"
    )


def _delimiter(path: Path, header: str, columns: Sequence[str]) -> str:
    """The delimiter with which the header names all columns."""
    delimiter = _find_delimiter(header, columns)
    if delimiter is not None:
        return delimiter
    raise ValueError(
        f"the first line of CSV file {str(path)!r} must name the columns "
        f"{', '.join(map(repr, columns))}, separated by commas, semicolons or tabs. "
        f"Received: {header.strip()[:200]!r}"
    )


def _find_delimiter(header: str, columns: Sequence[str]) -> str | None:
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        if set(columns) <= {n.strip() for n in names}:
            return delimiter
    return None


def column_names(
    path: Path, columns: Sequence[str], encoding: str = "utf-8-sig"
) -> list[str]:
    """The names of all columns of a CSV file.

    Args:
        path: The file.
        columns: Those that it must have.
        encoding: Its encoding; what is not in it is no name.

    Raises:
        OSError: When there is no such file.
        ValueError: When it lacks one of `columns`.
    """
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        header = file.readline(2**20)
    delimiter = _delimiter(path, header, columns)
    return [n.strip() for n in next(csv.reader([header], delimiter=delimiter))]
