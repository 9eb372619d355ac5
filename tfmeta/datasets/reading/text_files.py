"""Reading text files that come from somewhere else, packed by gzip or not."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfmeta.json_files import parse_json

# The largest file that tfmeta reads in this way holds 3 MB.
MAX_BYTES = 64 * 2**20


def read_text(folder: Path, name: str, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of `folder/name`, or of `folder/name.gz`.

    Args:
        folder: The folder.
        name: Name of the file without `.gz`.
        max_bytes: The most bytes that the text may have, unpacked.

    Returns:
        The text, UTF-8, without a byte order mark.

    Raises:
        FileNotFoundError: When neither file is there.
        ValueError: When the file is damaged, too large, or not UTF-8.

    Example:

    ```python
    read_text(Path("downloads"), "train.csv")  # also from train.csv.gz
    ```
    """
    plain, packed = folder / name, folder / f"{name}.gz"
    path = plain if plain.is_file() else packed
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} must hold {name} or {name}.gz. Received: "
            f"{'a folder without either' if folder.is_dir() else 'no folder'}"
        )
    try:
        with gzip.open(path) if path == packed else path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} must be a whole gzip file. Received: one that is damaged ({error})"
        ) from error
    if len(content) > max_bytes:
        raise ValueError(
            f"{path} must hold at most {max_bytes:,} bytes. Received: more"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8. Received: {error}") from error


def read_json(folder: Path, name: str) -> Any:
    """What `folder/name` or `folder/name.gz` holds; errors as of `read_text`."""
    return parse_json(read_text(folder, name), f"{name} in {folder}")


def read_csv(
    folder: Path, name: str, columns: tuple[str, ...]
) -> Iterator[tuple[int, list[str]]]:
    """The rows of `folder/name` or `folder/name.gz`.

    Args:
        folder: The folder.
        name: Name of the file without `.gz`.
        columns: The columns wanted; others are passed over.

    Yields:
        The number of the line that ends the row, and its fields in the order of
        `columns`.

    Raises:
        FileNotFoundError: When neither file is there.
        ValueError: When a column is missing or comes twice, a row has more or
            fewer fields than the header, or the file cannot be read.
    """
    # NUL is nothing that a text has, and Python before 3.11 raises on it.
    text = read_text(folder, name).replace("\0", "")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        unfit = [column for column in columns if header.count(column) != 1]
        if unfit:
            raise ValueError(
                f"{name} in {folder} must have the columns {', '.join(columns)}, each "
                f"once. Received: {', '.join(unfit)} missing or twice"
            )
        places = [header.index(column) for column in columns]
        for row in reader:
            if len(row) != len(header):
                raise ValueError(
                    f"{name} in {folder}, line {reader.line_num}: there must be "
                    f"{len(header)} fields, as in the header. Received: {len(row)}"
                )
            yield reader.line_num, [row[place] for place in places]
    except csv.Error as error:
        raise ValueError(
            f"{name} in {folder}, line {reader.line_num}: the line must be valid CSV. "
            f"Received: {error}"
        ) from error
