"""From labelled `.txt` files, one text each, to a class table."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.reading.unreadable import UnreadableFile

# A long novel; what encoders read of a text ends long before.
MAX_BYTES = 4 * 2**20
ACCEPTED_TEXT = f"a text in UTF-8 of at most {MAX_BYTES:,} bytes"


def read_text_file(path: Path) -> str:
    """The text of a file.

    Args:
        path: The file.

    Returns:
        All of it, without a byte order mark and blanks around it.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not in UTF-8, too large, or holds nothing but blanks.

    Example:

    ```python
    read_text_file(Path("letters/complaint/1.txt"))
    ```
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"text {str(path)!r} must be a file. Received: none there"
        )
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _unreadable(path, "more")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise _unreadable(path, str(error)) from error
    if not text:
        raise _unreadable(path, "an empty one")
    return text


def read_text_files(
    files: LabelledFiles,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Reads labelled `.txt` files, one example each, into a table.

    Args:
        files: The files and their classes.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of texts.

    Raises:
        FileNotFoundError, ValueError: As `read_text_file`.

    Example:

    ```python
    read_text_files(list_class_files("letters", what="text")).examples[0]
    ```
    """
    count = len(files.files)
    texts = np.empty(count, object)
    for row, path in enumerate(files.files):
        texts[row] = read_text_file(path)
        if on_progress is not None:
            on_progress(row + 1, count)
    return files.to_table(texts, f"texts of {files.source}")


def load_text_folder(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads a folder that has one sub-folder of `.txt` files for each class.

    Each file holds one text. Hidden files and what file managers leave behind are
    ignored. What may lie beside the class folders, and folders of groups of them, are
    as of `tfmeta.datasets.own.class_folders.list_class_files`.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        name: Name of the table; by default that of the folder.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of shape `(texts,)` and dtype object that holds str, classes sorted
        by name, the texts of each by the names of their files.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the folder has no sub-folders, none has a file, or a file is
            no text in UTF-8.

    Example:

    ```python
    load_text_folder("letters").class_names  # ('complaint', 'order')
    ```
    """
    files = list_class_files(path, name=name, what="text")
    return read_text_files(files, on_progress=on_progress)


def _unreadable(path: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(repr(str(path)), "text", ACCEPTED_TEXT, reason)
