"""Pictures that are turned when they are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.datasets.storage.examples import Examples, resolve_rows


class RotatedExamples:
    """Square pictures, each turned by quarter turns when it is read.

    Args:
        parent: Pictures of shape `(examples, size, size, channels)`.
        turns: Int array of shape `(examples,)`: how many anti-clockwise
            quarter turns, from 0 to 3.
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
        """Dtype of one picture."""
        return self.parent.dtype

    def __len__(self) -> int:
        return len(self.parent)

    def __getitem__(self, key: Any) -> Any:
        rows = resolve_rows(key, len(self))
        pictures = np.array(self.parent[rows])
        turns = self.turns[rows]
        for k in (1, 2, 3):
            turned = turns == k
            pictures[turned] = np.rot90(pictures[turned], k, axes=(-3, -2))
        return pictures

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        return f"RotatedExamples({self.parent!r})"
