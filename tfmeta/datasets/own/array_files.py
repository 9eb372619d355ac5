"""From labelled `.npy` files to a class table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles

# What both NumPy and TensorFlow compute with.
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "float16", "float32", "float64", "complex64", "complex128"),
)


def open_array(path: Path) -> np.ndarray:
    """Opens a `.npy` file without reading what is in it.

    Args:
        path: The file.

    Returns:
        The array, mapped from the file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no whole `.npy` file of numbers. Pickled objects
            are never loaded.

    Example:

    ```python
    open_array(Path("scan.npy")).shape  # (64, 64)
    ```
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"array {str(path)!r} must be a file. Received: none there"
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, OverflowError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{_accepted(path)} Received: {error}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{_accepted(path)} Received: a zip archive of arrays")
    if array.dtype.newbyteorder("=").name not in DTYPES:
        raise ValueError(f"{_accepted(path)} Received: dtype {array.dtype}")
    return array


def read_array_files(
    files: LabelledFiles, *, on_progress: Callable[[int, int], None] | None = None
) -> ClassTable:
    """Reads labelled `.npy` files, one example each, into a table.

    Args:
        files: The files and their classes.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of the arrays' own shape and dtype, in this machine's byte order.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no whole `.npy` file of numbers, or has another
            shape or dtype than the first.

    Example:

    ```python
    table = read_array_files(list_class_files("series"))
    ```
    """
    count = len(files.files)
    first = open_array(files.files[0])
    dtype = first.dtype.newbyteorder("=")
    examples = np.empty((count, *first.shape), dtype)
    for row, path in enumerate(files.files):
        array = open_array(path)
        if array.shape != first.shape or array.dtype.newbyteorder("=") != dtype:
            raise ValueError(
                "all arrays of a data set must have one shape and dtype. Received: "
                f"{first.dtype.name} {first.shape} in {str(files.files[0])!r} and "
                f"{array.dtype.name} {array.shape} in {str(path)!r}"
            )
        examples[row] = array
        if on_progress is not None:
            on_progress(row + 1, count)
    return files.to_table(examples, f"arrays of {files.source}")


def _accepted(path: Path) -> str:
    return (
        f"array {str(path)!r} must be a whole .npy file of numbers (written by "
        f"numpy.save, of a dtype among {', '.join(DTYPES)})."
    )
