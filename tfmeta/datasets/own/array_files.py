"""From labelled `.npy` and `.npz` files to a class table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.npz_archive import DTYPES, opened_npz
from tfmeta.datasets.reading.unreadable import UnreadableFile

ACCEPTED_ARRAY = (
    "a whole .npy file of finite numbers (written by numpy.save, of a dtype among "
    f"{', '.join(DTYPES)}), or a .npz file with one such array"
)
# So many bytes are looked at at once.
_BLOCK = 2**24


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
    """Opens a `.npy` file without reading what is in it, or a `.npz` file of one array.

    Args:
        path: The file.

    Returns:
        The array, mapped from a `.npy` file, in memory from a `.npz` file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no whole file of numbers. Pickled objects are never
            loaded.

    Example:

    ```python
    open_array(Path("scan.npy")).shape  # (64, 64)
    ```
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"array {str(path)!r} must be a file. Received: none there"
        )
    if _is_archive(path):
        with opened_npz(path) as archive:
            _check_one(path, len(archive.heads))
            (name,) = archive.heads
            array = archive.read(name)
    else:
        array = _map(path)
    _check_numbers(path, array.dtype)
    return array


def read_array(path: Path) -> np.ndarray:
    """The array of a file, as of `open_array`, all of whose numbers are finite.

    Raises:
        FileNotFoundError, ValueError: As `open_array`, and when one is not finite.
    """
    array = open_array(path)
    wrong = _not_finite_in(array)
    if wrong:
        raise _unreadable(path, f"{wrong:,} numbers that are NaN or infinite")
    return array


def array_form(path: Path) -> ArrayForm:
    """The form of the array of a file, of which only the head is read.

    Raises:
        FileNotFoundError, ValueError: As `open_array`.
    """
    if not _is_archive(path):
        array = open_array(path)
        return ArrayForm(array.shape, array.dtype.newbyteorder("="))
    with opened_npz(path) as archive:
        _check_one(path, len(archive.heads))
        ((shape, dtype),) = archive.heads.values()
    _check_numbers(path, dtype)
    return ArrayForm(shape, dtype.newbyteorder("="))


def check_finite_examples(examples: np.ndarray, what: str) -> None:
    """Checks that all numbers are finite, a block at a time.

    Args:
        examples: `(examples, ...)`.
        what: What they are called, for the message.

    Raises:
        ValueError: When some are not; counts the examples and names the first.
    """
    size = max(1, _BLOCK // max(1, examples[:1].nbytes))
    wrong: list[int] = []
    for start in range(0, len(examples), size):
        block = examples[start : start + size]
        if block.dtype.kind in "fc":
            finite = np.isfinite(block).reshape(len(block), -1).all(axis=1)
            wrong += (start + np.flatnonzero(~finite)).tolist()
    if wrong:
        raise ValueError(
            f"{what} must hold finite numbers. Received: NaN or infinity in "
            f"{len(wrong):,} of {len(examples):,} examples, the first in row "
            f"{wrong[0]}"
        )


def common_array_form(files: Sequence[Path]) -> ArrayForm:
    """The form that the arrays of all files have.

    Only the heads of the files are read.

    Args:
        files: The files, at least one.

    Returns:
        The form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no whole file of numbers, or its array has another
            shape or dtype than the first.

    Example:

    ```python
    common_array_form([Path("1.npy")])  # ArrayForm((128, 3), dtype('float32'))
    ```
    """
    forms = []
    for path in files:
        forms.append(array_form(path))
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
    """Reads labelled files of arrays, one example each, into a table.

    Args:
        files: The files and their classes.
        form: The form that all of them have.
        on_progress: Called with the number of files read, and of all.

    Returns:
        A table of arrays of the form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no whole file of numbers, or one is not finite.

    Example:

    ```python
    files = list_class_files("series")
    table = read_array_files(files, common_array_form(files.files))
    ```
    """
    count = len(files.files)
    examples = np.empty((count, *form.shape), form.dtype)
    for row, path in enumerate(files.files):
        examples[row] = read_array(path)
        if on_progress is not None:
            on_progress(row + 1, count)
    return files.to_table(examples, f"arrays of {files.source}")


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _map(path: Path) -> np.ndarray:
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
    return array


def _check_one(path: Path, count: int) -> None:
    if count != 1:
        raise _unreadable(path, f"{count} arrays")


def _check_numbers(path: Path, dtype: np.dtype) -> None:
    if dtype.newbyteorder("=").name not in DTYPES:
        raise _unreadable(path, f"dtype {dtype}")


def _not_finite_in(array: np.ndarray) -> int:
    if array.dtype.kind not in "fc":
        return 0
    return int(np.count_nonzero(~np.isfinite(array)))


def _unreadable(path: Path, reason: str) -> UnreadableFile:
    return UnreadableFile(repr(str(path)), "array", ACCEPTED_ARRAY, reason)
