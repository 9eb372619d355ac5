"""From labelled `.npy` files to a class table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.reading.unreadable import UnreadableFile

# What both NumPy and TensorFlow compute with.
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "float16", "float32", "float64", "complex64", "complex128"),
)
ACCEPTED_ARRAY = (
    "a whole .npy file of numbers (written by numpy.save, of a dtype among "
    f"{', '.join(DTYPES)})"
)


@dataclasses.dataclass(frozen=True)
class ArrayForm:
    """What all arrays of a table are.

    Args:
        shape: The shape of one example.
        dtype: Its dtype, in this machine's byte order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype


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
    except PermissionError:
        raise
    # NumPy raises errors of many types on damaged heads, its tokenizer's too.
    except Exception as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise _unreadable(path, "a zip archive of arrays")
    if array.dtype.newbyteorder("=").name not in DTYPES:
        raise _unreadable(path, f"dtype {array.dtype}")
    return array


def common_array_form(files: Sequence[Path]) -> ArrayForm:
    """The form that all `.npy` files have.

    Only the heads of the files are read.

    Args:
        files: The files, at least one.

    Returns:
        The form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no whole `.npy` file of numbers, or has another
            shape or dtype than the first.

    Example:

    ```python
    common_array_form([Path("1.npy")])  # ArrayForm((128, 3), dtype('float32'))
    ```
    """
    forms = []
    for path in files:
        array = open_array(path)
        forms.append(ArrayForm(array.shape, array.dtype.newbyteorder("=")))
        if forms[-1] != forms[0]:
            raise ValueError(
                "all arrays of a data set must have one shape and dtype. Received: "
                f"{forms[0].dtype} {forms[0].shape} in {str(files[0])!r} and "
                f"{forms[-1].dtype} {forms[-1].shape} in {str(path)!r}"
            )
    return forms[0]


def read_array_files(
    files: LabelledFiles,
    form: ArrayForm,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Reads labelled `.npy` files, one example each, into a table.

    Args:
        files: The files and their classes.
        form: The form that all of them have.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of arrays of the form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no whole `.npy` file of numbers.

    Example:

    ```python
    files = list_class_files("series")
    table = read_array_files(files, common_array_form(files.files))
    ```
    """
    count = len(files.files)
    examples = np.empty((count, *form.shape), form.dtype)
    for row, path in enumerate(files.files):
        examples[row] = open_array(path)
        if on_progress is not None:
            on_progress(row + 1, count)
    return files.to_table(examples, f"arrays of {files.source}")


def _unreadable(path: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(repr(str(path)), "array", ACCEPTED_ARRAY, reason)
