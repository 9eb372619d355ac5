"""What the examples of a class table must be able to do, wherever they lie."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Examples(Protocol):
    """Examples in rows; a NumPy array is one kind of them.

    Indexing gives NumPy arrays in memory, or, for a slice of a memory map, a
    view of it.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """`(examples, *example)`."""

    @property
    def dtype(self) -> np.dtype:
        """Dtype of one example."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __array__(
        self, dtype: Any = None, /, *, copy: bool | None = None
    ) -> np.ndarray: ...


def lies_in_memory(examples: Examples) -> bool:
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
    if rows.size == 0 and rows.dtype != bool:
        rows = rows.astype(np.int64)  # [] is an array of floats
    if rows.dtype == bool and rows.shape == (length,):
        return np.flatnonzero(rows)
    if rows.dtype.kind not in "iu":
        raise IndexError(
            "examples are indexed by an int, a slice or an array of ints, or by "
            f"{length} bools. Received: {key!r}"
        )
    rows = rows.astype(np.int64)
    if rows.size and not (-length <= rows.min() and rows.max() < length):
        raise IndexError(
            f"rows must be from 0 to {length - 1}. Received: {rows.min()} to "
            f"{rows.max()}"
        )
    return np.where(rows < 0, rows + length, rows)
