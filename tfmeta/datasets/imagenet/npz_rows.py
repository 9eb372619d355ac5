"""The rows of an array in an npz file, one after the other."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


class NpzRows:
    """A uint8 array in an npz file, which may be larger than memory.

    `numpy.load` reads an array of an npz file as a whole.

    Args:
        path: The file, from `numpy.savez` or `numpy.savez_compressed`.
        key: Name of the array.
        shape: Shape of one row.

    Raises:
        ValueError: When there is no such array.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, ...]) -> None:
        self.path, self._member, self.shape = path, f"{key}.npy", shape
        try:
            with zipfile.ZipFile(path) as archive, archive.open(self._member) as file:
                self._length = self._read_header(file)
        except _ERRORS as error:
            raise self._damaged(error) from error

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[np.ndarray]:
        size = int(np.prod(self.shape))
        try:
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self._member) as file,
            ):
                self._read_header(file)
                for _ in range(self._length):
                    content = file.read(size)
                    if len(content) < size:
                        raise EOFError("an array that ends early")
                    yield np.frombuffer(content, np.uint8).reshape(self.shape)
        except _ERRORS as error:
            raise self._damaged(error) from error

    def _read_header(self, file: IO[bytes]) -> int:
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, by_column, dtype = read(file)
        except ValueError as error:
            raise self._damaged(error) from error
        if dtype != np.uint8 or shape[1:] != self.shape or by_column:
            raise self._damaged(ValueError(f"{dtype} of shape {shape}"))
        return int(shape[0])

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(
            f"{self.path} must be an npz file with {self._member[:-4]!r}, a uint8 "
            f"array of shape (pictures, {', '.join(map(str, self.shape))}). Received: "
            f"{type(error).__name__}: {error}"
        )
