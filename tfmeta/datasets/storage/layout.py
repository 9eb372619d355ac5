"""What a table on disk is going to hold, known before the first example."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

TEXT = "text"
ENCODED_PICTURES = "encoded pictures"


@dataclasses.dataclass(frozen=True)
class TableLayout:
    """Everything about a table but its examples.

    Args:
        name: Name of the data set.
        class_names: One name per class.
        class_sizes: The number of examples of each class. Rows follow the
            classes: those of the first come first.
        example_shape: Shape of one example; `()` for text.
        dtype: A NumPy dtype such as `"uint8"`, or `"text"`, or `"encoded
            pictures"` (JPEG and PNG, `example_shape` being `(height, width,
            channels)`).
        groups: One group name per class, or `None`.
        group_level: What a group is called.
        origin_names: As of `ClassTable`.
        description: One line on where the examples come from.
        source_digest: Digest of what the examples are read from, so that a
            killed import never goes on with another source.

    Raises:
        ValueError: When the parts do not fit each other.
    """

    name: str
    class_names: tuple[str, ...]
    class_sizes: tuple[int, ...]
    example_shape: tuple[int, ...]
    dtype: str
    groups: tuple[str, ...] | None = None
    group_level: str = "group"
    origin_names: tuple[str, ...] | None = None
    description: str = ""
    source_digest: str = ""

    def __post_init__(self) -> None:
        for field in ("class_names", "groups", "origin_names"):
            names = getattr(self, field)
            if names is not None:
                object.__setattr__(self, field, tuple(str(n) for n in names))
        for field in ("class_sizes", "example_shape"):
            numbers = tuple(int(n) for n in getattr(self, field))
            object.__setattr__(self, field, numbers)
        if self.dtype not in (TEXT, ENCODED_PICTURES):
            object.__setattr__(self, "dtype", np.dtype(self.dtype).name)

    @property
    def num_examples(self) -> int:
        """The number of examples of all classes together."""
        return sum(self.class_sizes)

    @property
    def offsets(self) -> np.ndarray:
        """Int64 array of shape `(classes + 1,)`: where each class begins."""
        return np.concatenate([[0], np.cumsum(self.class_sizes, dtype=np.int64)])

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in dataclasses.asdict(self).items()
        }
