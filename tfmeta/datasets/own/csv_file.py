"""A CSV file of paths and class names as a class table."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Literal

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.csv_rows import csv_rows
from tfmeta.datasets.own.labelled_files import LabelledFiles, check_one_group
from tfmeta.datasets.own.picture_files import PictureDtype, PictureSize
from tfmeta.datasets.own.read_files import form_of_files, read_files
from tfmeta.datasets.reading.unreadable import Problems


def load_csv(
    path: str | os.PathLike[str],
    *,
    path_column: str = "path",
    label_column: str = "label",
    group_column: str | None = None,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    allow_outside: bool = False,
    encoding: str = "utf-8-sig",
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads the pictures or `.npy` files that a CSV file lists with their classes.

    The first line names the columns; commas, semicolons and tabs separate them.
    Paths are relative to the folder of the CSV file.

    Args:
        path: The CSV file.
        path_column: Name of the column of paths.
        label_column: Name of the column of class names.
        group_column: Name of a column that says which group each class belongs
            to, or `None`.
        size: For pictures, as of
            `tfmeta.datasets.own.picture_folder.load_picture_folder`.
        channels: Likewise.
        dtype: Likewise.
        allow_outside: Whether paths may leave the folder of the CSV file. A file
            from somebody else could otherwise pull in any file of yours.
        encoding: Encoding of the file. The default takes UTF-8 with or without a
            byte order mark.
        name: Name of the table; by default that of the file without its suffix.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table, classes sorted by name, the examples of each in the order of the
        lines, groups named after `group_column`.

    Raises:
        FileNotFoundError: When the CSV file or a file that it names is not there.
        ValueError: When the CSV file cannot be read, a column is missing, a field
            is empty, a path leaves the folder or comes twice, or a class has two
            groups (all with the line), and when a file cannot be read.

    Example:

    ```python
    # birds.csv: path,label,family
    #            photos/1.jpg,robin,Muscicapidae
    table = load_csv("birds.csv", group_column="family", size=(84, 84))
    ```
    """
    files = list_csv(
        path,
        path_column=path_column,
        label_column=label_column,
        group_column=group_column,
        allow_outside=allow_outside,
        encoding=encoding,
        name=name,
    )
    form = form_of_files(files, size=size, channels=channels, dtype=dtype)
    return read_files(files, form, on_progress=on_progress)


def list_csv(
    path: str | os.PathLike[str],
    *,
    path_column: str = "path",
    label_column: str = "label",
    group_column: str | None = None,
    allow_outside: bool = False,
    encoding: str = "utf-8-sig",
    name: str | None = None,
    skip_bad: bool = False,
) -> LabelledFiles:
    """The files that a CSV file lists; other arguments and errors as of `load_csv`.

    With `skip_bad`, lines that something is wrong with are left out.

    Returns:
        The files with their classes and groups; `notes` says what was left out.

    Example:

    ```python
    list_csv("birds.csv").class_names  # ('robin', 'wren')
    ```
    """
    path = Path(path)
    columns = [path_column, label_column]
    columns += [] if group_column is None else [group_column]
    folder = path.resolve().parent
    files: list[Path] = []
    labels: list[str] = []
    groups: dict[str, str] = {}
    seen: dict[Path, int] = {}
    problems = Problems(skip_bad=skip_bad)
    rows = csv_rows(path, columns, encoding, problems=problems)
    for line, (text, label, *group) in rows:
        with problems.of_one():
            try:
                file = _file_of(text, folder)
                real, is_file = file.resolve(), file.is_file()
            except (ValueError, OSError, RuntimeError) as error:  # NUL, length, loops
                raise ValueError(
                    f"{path}, line {line}: the path must be one that can be followed. "
                    f"Received: {text[:200]!r} ({type(error).__name__})"
                ) from error
            if not allow_outside and not real.is_relative_to(folder):
                raise ValueError(
                    f"{path}, line {line}: the path must lie in the folder of the CSV "
                    f"file. Received: {text!r}"
                )
            if not is_file:
                raise FileNotFoundError(
                    f"{path}, line {line}: the path must lead to a file. Received: "
                    f"{text!r}, and {str(file)!r} is none"
                )
            if real in seen:
                raise ValueError(
                    f"{path}, line {line}: each file must be listed once. Received: "
                    f"{text!r}, which line {seen[real]} lists"
                )
            label = unicodedata.normalize("NFC", label)
            for one in group:
                check_one_group(groups, label, one, f"{path}, line {line}")
            seen[real] = line
            files.append(file)
            labels.append(label)
    problems.refuse()
    if not files:
        raise ValueError(
            f"CSV file {str(path)!r} must list at least one file. Received: a header "
            "alone"
        )
    return LabelledFiles(
        source=path,
        name=path.stem if name is None else name,
        files=tuple(files),
        labels=tuple(labels),
        groups=None if group_column is None else groups,
        group_level="group" if group_column is None else group_column,
        notes=problems.notes(path),
    )


def _file_of(text: str, folder: Path) -> Path:
    """The file that a path means, also one written on Windows."""
    if os.name != "nt" and "\\" in text and not (folder / text).exists():
        text = PureWindowsPath(text).as_posix()
    return folder / text
