"""A folder of pictures, one sub-folder for each class, as a class table."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.class_folders import list_class_files, list_files
from tfmeta.datasets.own.picture_files import (
    PictureDtype,
    PictureSize,
    common_form,
    read_picture_files,
)


def load_picture_folder(
    path: str | os.PathLike[str],
    *,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    invert: bool = False,
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads a folder that has one sub-folder of pictures for each class.

    Hidden files and what file managers leave behind are ignored. Everything
    else in a class folder has to be a picture, so that nothing goes missing
    unnoticed. What may lie beside the class folders, and folders of groups of
    them, are as of `tfmeta.datasets.own.class_folders.list_class_files`.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        size: Height and width in pixels that all pictures are resized to (one
            number for squares); see `tfmeta.datasets.reading.pictures.read_picture`.
            `None` when all have one size already.
        channels: 1 for grey, 3 for red, green and blue, or `None` for 3 when one
            of the pictures has colours.
        dtype: `"uint8"`, `"uint16"`, or `None` for 16 bits when one of the
            pictures is stored in 16-bit grey. Such pictures run to 65,535: an
            encoder for them scales by 1 / 65535.
        invert: Whether to turn dark on light into light on dark, as the models
            of characters expect it; `tfmeta.datasets.reading.ground` tells which
            they are.
        name: Name of the table; by default that of the folder.
        on_progress: Called with the number of pictures read, and of all.

    Returns:
        A table of pictures of shape `(height, width, channels)`, classes sorted
        by name, the pictures of each by file name.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the folder has no sub-folders, none has a picture,
            something in one cannot be read as a picture, or `size` is `None` and
            the sizes differ.

    Example:

    ```python
    support = load_picture_folder("support", size=(28, 28), channels=1, invert=True)
    support.class_names  # ('alif', 'ba')
    ```
    """
    files = list_class_files(path, name=name, what="picture")
    form = common_form(files.files, size=size, channels=channels, dtype=dtype)
    return read_picture_files(files, form, invert=invert, on_progress=on_progress)


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
    return list_files(path, what="picture")
