"""A folder of pictures, one sub-folder for each class, as a class table."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.reading.pictures import check_form, read_picture

# What file managers leave behind, in lower case. Hidden files need no mention.
_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}


def load_picture_folder(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int],
    channels: Literal[1, 3] = 1,
    invert: bool = False,
    name: str | None = None,
) -> ClassTable:
    """Loads a folder that has one sub-folder of pictures for each class.

    Hidden files and what file managers leave behind are ignored. Everything
    else has to be a picture, so that nothing goes missing unnoticed.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        size: Height and width in pixels that all pictures are resized to; see
            `tfmeta.datasets.reading.pictures.read_picture`.
        channels: 1 for grey or 3 for red, green and blue.
        invert: Whether to turn dark on light into light on dark, as the models
            of characters expect it (`tfmeta.datasets.reading.pictures.looks_inverted`).
        name: Name of the table; by default that of the folder.

    Returns:
        A table of uint8 pictures of shape `(height, width, channels)`, classes
        sorted by name, the pictures of each by file name.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the folder has no sub-folders, a sub-folder has no
            pictures, or something in it cannot be read as a picture.

    Example:

    ```python
    support = load_picture_folder("support", size=(28, 28), channels=1, invert=True)
    support.class_names  # ('alif', 'ba')
    ```
    """
    path = Path(path)
    check_form(size, channels)
    pictures: list[np.ndarray] = []
    labels: list[str] = []
    for folder in list_class_folders(path):
        files = list_pictures(folder)
        pictures += [read_picture(f, size=size, channels=channels) for f in files]
        labels += [_class_name(folder)] * len(files)
    examples = np.stack(pictures)
    return ClassTable.from_arrays(
        path.resolve().name if name is None else name,
        255 - examples if invert else examples,
        labels,
        description=f"pictures of {path}",
    )


def list_pictures(path: str | os.PathLike[str]) -> list[Path]:
    """The pictures that lie directly in a folder.

    Args:
        path: The folder.

    Returns:
        The files, sorted by name, without hidden files and what file managers
        leave behind. Whether each is a picture shows when it is read.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds a sub-folder or no file at all.

    Example:

    ```python
    queries = [read_picture(p, size=(28, 28)) for p in list_pictures("queries")]
    ```
    """
    path = Path(path)
    files = _entries(path)
    for file in files:
        if not file.is_file():
            raise ValueError(
                f"folder {str(path)!r} must hold pictures alone. Received: "
                f"{file.name!r}, which is no file"
            )
    if not files:
        raise ValueError(
            f"folder {str(path)!r} must hold at least one picture. Received: 0"
        )
    return files


def list_class_folders(path: str | os.PathLike[str]) -> list[Path]:
    """The sub-folders of a folder that has one for each class.

    Args:
        path: The folder.

    Returns:
        The sub-folders, sorted by name, without hidden ones and what file
        managers leave behind.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds a file beside them, or no sub-folder.

    Example:

    ```python
    {folder.name: len(list_pictures(folder)) for folder in list_class_folders("a")}
    ```
    """
    path = Path(path)
    entries = _entries(path)
    loose = [e for e in entries if not e.is_dir()]
    if loose:
        raise ValueError(
            f"folder {str(path)!r} must hold one sub-folder of pictures for each "
            f"class and nothing else. Received: {len(entries) - len(loose)} "
            f"sub-folders and {len(loose)} files, the first {loose[0].name!r}"
        )
    if not entries:
        raise ValueError(
            f"folder {str(path)!r} must hold one sub-folder of pictures for each "
            "class. Received: 0 sub-folders"
        )
    return entries


def _entries(path: Path) -> list[Path]:
    if not path.is_dir():
        raise FileNotFoundError(
            f"folder {str(path)!r} must exist. Received: "
            + ("a file" if path.exists() else "nothing there")
        )
    return sorted(
        e
        for e in path.iterdir()
        if not e.name.startswith(".") and e.name.lower() not in _CLUTTER
    )


def _class_name(folder: Path) -> str:
    try:
        folder.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            "names of class folders must be valid text in the file system's "
            f"encoding. Received: {str(folder)!r}"
        ) from error
    return unicodedata.normalize("NFC", folder.name)
