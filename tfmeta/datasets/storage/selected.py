"""Rows of a table that does not lie in memory, chosen without a copy."""

from __future__ import annotations

import numpy as np

from tfmeta.datasets.storage.examples import (
    Examples,
    StoredExamples,
    lie_in_memory,
    resolve_rows,
)


class SelectedExamples(StoredExamples):
    """Some rows of other examples, in an order of their own.

    Args:
        parent: Examples that stay where they are: a memory map,
            `EncodedPictures`, ... Of a selection, what it was made from.
        rows: Int array of shape `(examples,)`: row `i` is `parent[rows[i]]`.

    Raises:
        IndexError: When a row does not exist.

    Example:

    ```python
    table.take_classes([7, 2]).examples  # of a memory map: SelectedExamples
    ```
    """

    def __init__(self, parent: Examples, rows: np.ndarray) -> None:
        self.parent: Examples = parent
        self.rows: np.ndarray = resolve_rows(rows, len(parent))
        if isinstance(parent, SelectedExamples):
            self.parent, self.rows = parent.parent, parent.rows[self.rows]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(examples, *example)`."""
        return (len(self.rows), *self.parent.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the examples."""
        return self.parent.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The examples of some rows."""
        return np.asarray(self.parent[self.rows[rows]])

    def __repr__(self) -> str:
        return f"SelectedExamples({len(self)} of {type(self.parent).__name__})"


def select_rows(examples: Examples, rows: np.ndarray) -> Examples:
    """Rows of examples: a copy where they lie in memory, and else none.

    Args:
        examples: The examples.
        rows: Int array of shape `(rows,)`.

    Returns:
        An array for one in memory, else `SelectedExamples`.
    """
    return (
        examples[rows] if lie_in_memory(examples) else SelectedExamples(examples, rows)
    )
