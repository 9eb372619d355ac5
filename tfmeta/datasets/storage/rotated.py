"""Pictures that are turned when they are read."""

from __future__ import annotations

import numpy as np

from tfmeta.datasets.storage.examples import Examples, StoredExamples


class RotatedExamples(StoredExamples):
    """Square pictures, each turned by quarter turns when it is read.

    Args:
        parent: Pictures of shape `(examples, size, size, channels)`.
        turns: Int array of shape `(examples,)`: how many anti-clockwise
            quarter turns, from 0 to 3.

    Raises:
        ValueError: When there is not one number for each picture.
    """

    def __init__(self, parent: Examples, turns: np.ndarray) -> None:
        self.parent = parent
        self.turns = np.asarray(turns, np.int64)
        if self.turns.shape != (len(parent),):
            raise ValueError(
                f"`turns` must have shape ({len(parent)},), one number for each "
                f"picture. Received: {self.turns.shape}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """`(examples, size, size, channels)`."""
        return self.parent.shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the pictures."""
        return self.parent.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The pictures of some rows, turned."""
        # Rows in an array are copied, so that they can be turned in place.
        pictures = np.asarray(self.parent[rows.ravel()])
        turns = self.turns[rows.ravel()]
        for k in (1, 2, 3):
            chosen = turns == k
            pictures[chosen] = np.rot90(pictures[chosen], k, axes=(1, 2))
        return pictures.reshape(*rows.shape, *self.shape[1:])

    def __repr__(self) -> str:
        return f"RotatedExamples({len(self)} of {type(self.parent).__name__})"
