"""Examples that lie elsewhere than in an array in memory."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np


class StoredExamples(abc.ABC):
    """Examples in rows that are read when they are indexed, as an array is.

    An int gives one example, a slice or an array of ints several: NumPy arrays
    in memory.
    """

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """`(examples, *example)`."""

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """Dtype of the examples when they are read."""

    @abc.abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """The examples of an int64 array of rows, each from 0 on.

        Returns:
            Array of shape `(*rows.shape, *example)`.
        """

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.read(resolve_rows(key, len(self)))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


# A memory map is an array to NumPy, and so it is here.
Examples: TypeAlias = np.ndarray | StoredExamples


def lie_in_memory(examples: Examples) -> bool:
    """Whether examples are an array, and not one that is a memory map."""
    return isinstance(examples, np.ndarray) and not isinstance(examples, np.memmap)


def resolve_rows(key: Any, length: int) -> np.ndarray:
    """The rows that an index of a sequence stands for.

    Args:
        key: An int, a slice, an array of ints, or an array of bools of shape
            `(length,)`.
        length: The number of rows.

    Returns:
        Int64 array of rows from 0 to `length - 1`: of shape `()` for an int,
        else as NumPy's indexing has it.

    Raises:
        IndexError: For rows that do not exist, and for other indices.
    """
    if isinstance(key, slice):
        return np.arange(*key.indices(length))
    rows = np.asarray(key)
    if rows.dtype == bool and rows.shape == (length,):
        return np.flatnonzero(rows)
    if rows.shape == (0,):
        return rows.astype(np.int64)  # NumPy makes floats of an empty list.
    if rows.dtype.kind not in "iu" or isinstance(key, tuple):
        raise IndexError(
            "examples are indexed by an int, a slice, an array of ints or one of "
            f"{length} bools. Received: {key!r}"
        )
    rows = rows.astype(np.int64)
    if rows.size and not (-length <= rows.min() and rows.max() < length):
        raise IndexError(
            f"rows must be from 0 to {length - 1}. Received: {rows.min()} to "
            f"{rows.max()}"
        )
    return np.where(rows < 0, rows + length, rows)
