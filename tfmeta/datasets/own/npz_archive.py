"""The arrays in a `.npz` file, without trusting it."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from tfmeta.datasets.reading.unreadable import UnreadableFile

# What both NumPy and TensorFlow compute with.
DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "float16", "float32", "float64", "complex64", "complex128"),
)
# Unpacked: a small file may unpack to very much.
MAX_BYTES = 4 * 2**30
ACCEPTED_ARCHIVE = (
    "a whole .npz file of arrays of numbers or texts (written by numpy.savez), each "
    f"of at most {MAX_BYTES / 2**30:g} GiB"
)

Head = tuple[tuple[int, ...], np.dtype]


class NpzArchive:
    """An open `.npz` file. Nothing of it is unpickled.

    Attributes:
        path: The file.
        heads: Shape and dtype of each array, by name.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._members = {
            info.filename.removesuffix(".npy"): info for info in archive.infolist()
        }
        self.heads: Mapping[str, Head] = {
            name: self._head(name) for name in self._members
        }

    def read(self, name: str) -> np.ndarray:
        """The array of a name, which must be of numbers or of texts.

        Raises:
            ValueError: When it is of objects, larger than `MAX_BYTES`, or damaged.
        """
        shape, dtype = self.heads[name]
        if dtype.hasobject:
            raise unreadable(
                self.path,
                f"{name!r} of dtype object, which would have to be unpickled",
            )
        size = math.prod(shape) * dtype.itemsize
        if size > MAX_BYTES:
            raise unreadable(self.path, f"{name!r} of {size:,} bytes")
        if size > self._members[name].file_size:
            raise unreadable(self.path, f"{name!r}, which ends too early")
        with self._open(name) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    def _head(self, name: str) -> Head:
        with self._open(name) as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read is None:  # Names of fields in UTF-8, which numbers do not have.
                raise unreadable(self.path, f"{name!r} of a version {version}")
            shape, _, dtype = read(file)
            return shape, dtype

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        with _said_of(self.path), self._archive.open(self._members[name]) as file:
            yield file


@contextlib.contextmanager
def opened_npz(path: Path) -> Iterator[NpzArchive]:
    """Opens a `.npz` file; only the heads of its arrays are read.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is none, or damaged.

    Example:

    ```python
    with opened_npz(Path("features.npz")) as archive:
        archive.heads  # {'X': ((150, 4), dtype('float64')), 'y': ((150,), ...)}
    ```
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"array {str(path)!r} must be a file. Received: none there"
        )
    with contextlib.ExitStack() as stack:
        with _said_of(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
        yield NpzArchive(path, archive)


def unreadable(path: Path, reason: str) -> UnreadableFile:
    """The error of a `.npz` file that is not what it must be."""
    return UnreadableFile(repr(str(path)), "archive", ACCEPTED_ARCHIVE, reason)


@contextlib.contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (UnreadableFile, PermissionError, MemoryError):
        raise
    # Damaged archives and heads end in errors of many types.
    except Exception as error:
        raise unreadable(path, str(error) or type(error).__name__) from error
