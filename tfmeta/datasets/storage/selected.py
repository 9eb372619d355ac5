"""Rows of a table that does not lie in memory, chosen without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.datasets.storage.examples import Examples, lies_in_memory, resolve_rows


class SelectedExamples:
    """Some rows of other examples, in an order of their own.

    Args:
        parent: Examples that stay where they are: a memory map,
            `EncodedPictures`, ...
        rows: Int array of shape `(examples,)`: row `i` is `parent[rows[i]]`.

    Raises:
        IndexError: When a row does not exist.

    Example:

    ```python
    table.take_classes([7, 2]).examples  # of a memory map: SelectedExamples
    ```
    """

    def __init__(self, parent: Examples, rows: np.ndarray) -> None:
        self.parent = parent
        self.rows = resolve_rows(rows, len(parent))

    @property
    def shape(self) -> tuple[int, ...]:
        """`(examples, *example)`."""
        return (len(self.rows), *self.parent.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Dtype of one example."""
        return self.parent.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self.parent[self.rows[resolve_rows(key, len(self))]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return f"SelectedExamples({len(self)} of {self.parent!r})"


def select_rows(examples: Examples, rows: np.ndarray) -> Examples:
    """Rows of examples: a copy where they lie in memory, else none.

    Args:
        examples: The examples.
        rows: Int array of shape `(rows,)`.

    Returns:
        An array in memory for one in memory, a slice of a memory map where
        `rows` are neighbours in it, and else `SelectedExamples`.
    """
    if isinstance(examples, SelectedExamples):
        return select_rows(examples.parent, examples.rows[rows])
    if lies_in_memory(examples):
        return examples[rows]
    if isinstance(examples, np.memmap) and (np.diff(rows) == 1).all():
        return examples[int(rows[0]) : int(rows[-1]) + 1]
    return SelectedExamples(examples, rows)
