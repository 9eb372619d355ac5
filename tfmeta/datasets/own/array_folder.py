"""A folder of `.npy` files, one sub-folder for each class, as a class table."""

from __future__ import annotations

import os
from collections.abc import Callable

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.array_files import common_array_form, read_array_files
from tfmeta.datasets.own.class_folders import list_class_files


def load_array_folder(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads a folder that has one sub-folder of `.npy` files for each class.

    For what is not a picture: time series, scans, spectra, features. Each file
    holds one example, as `numpy.save` writes it, and all have one shape and
    dtype. Hidden files and what file managers leave behind are ignored.
    Everything else in a class folder has to be a `.npy` file. What may lie beside
    the class folders, and folders of groups of them, are as of
    `tfmeta.datasets.own.class_folders.list_class_files`.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        name: Name of the table; by default that of the folder.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of the arrays' own shape and dtype, classes sorted by name, the
        files of each by theirs.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the folder has no sub-folders, none has a file, a file is
            no whole `.npy` file of numbers, or has another
            shape or dtype than the first.

    Example:

    ```python
    table = load_array_folder("gestures")
    table.example_shape  # (128, 3): 128 moments of 3 channels
    ```
    """
    files = list_class_files(path, name=name)
    form = common_array_form(files.files)
    return read_array_files(files, form, on_progress=on_progress)
