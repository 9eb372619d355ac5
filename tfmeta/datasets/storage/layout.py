"""What a table on disk is going to hold, known before the first example."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tfmeta.datasets.class_attributes import attributes_from_json, attributes_to_json
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.selected import SelectedExamples

TEXT = "text"
ENCODED_PICTURES = "encoded pictures"

# Tables from this size on stay on disk, unless asked otherwise.
MEMORY_MAP_FROM = 256 * 2**20


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
        attributes: Class attributes as `attributes_to_json` writes them, or `None`.

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
    attributes: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for field in ("class_names", "groups", "origin_names"):
            names = getattr(self, field)
            if names is not None:
                object.__setattr__(self, field, tuple(str(n) for n in names))
        for field in ("class_sizes", "example_shape"):
            numbers = tuple(int(n) for n in getattr(self, field))
            object.__setattr__(self, field, numbers)
        if self.dtype == TEXT:
            fits = self.example_shape == ()
        elif self.dtype == ENCODED_PICTURES:
            fits = len(self.example_shape) == 3 and self.example_shape[2] in (1, 3)
        else:
            fits = self._has_numbers()
        if not fits:
            raise ValueError(
                f"`dtype` of table {self.name!r} must be of numbers, {TEXT!r} with "
                f"`example_shape` (), or {ENCODED_PICTURES!r} with (height, width, 1 "
                f"or 3). Received: {self.dtype!r} with {self.example_shape}"
            )
        # What does not make a table is refused before the work, not after it.
        ClassTable(
            name=self.name,
            examples=np.broadcast_to(np.uint8(0), (self.num_examples,)),
            offsets=self.offsets,
            class_names=self.class_names,
            groups=self.groups,
            origin_names=self.origin_names,
            class_attributes=self.class_attributes,
        )

    def _has_numbers(self) -> bool:
        try:
            dtype = np.dtype(self.dtype)
        except TypeError:
            return False
        object.__setattr__(self, "dtype", dtype.name)
        return dtype.kind in "biufc" and all(n > 0 for n in self.example_shape)

    @property
    def num_examples(self) -> int:
        """The number of examples of all classes together."""
        return sum(self.class_sizes)

    @property
    def class_attributes(self) -> np.ndarray | None:
        """As of `ClassTable`."""
        if self.attributes is None:
            return None
        return attributes_from_json(self.attributes)

    @property
    def is_blob(self) -> bool:
        """Whether examples differ in their bytes: text and encoded pictures."""
        return self.dtype in (TEXT, ENCODED_PICTURES)

    @property
    def offsets(self) -> np.ndarray:
        """Int64 array of shape `(classes + 1,)`: where each class begins."""
        return np.concatenate([[0], np.cumsum(self.class_sizes, dtype=np.int64)])

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        values = {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in dataclasses.asdict(self).items()
        }
        if self.attributes is None:
            # As tables were written before there were any.
            del values["attributes"]
        return values


def layout_and_loader(table: ClassTable) -> tuple[TableLayout, Callable[[int], Any]]:
    """The layout of a table that is there, and a function from row to example.

    Encoded pictures stay encoded: the function gives their files.
    """
    examples = table.examples
    load: Callable[[int], Any] = examples.__getitem__
    dtype = TEXT if examples.dtype == object else examples.dtype.name
    parent, rows = examples, np.arange(len(examples))
    if isinstance(examples, SelectedExamples):
        parent, rows = examples.parent, examples.rows
    if isinstance(parent, EncodedPictures):
        files, dtype = parent, ENCODED_PICTURES

        def load(row: int) -> bytes:
            return files.file(rows[row])

    return TableLayout(
        name=table.name,
        class_names=table.class_names,
        class_sizes=tuple(table.class_sizes),
        example_shape=table.example_shape,
        dtype=dtype,
        groups=table.groups,
        group_level=table.group_level,
        origin_names=table.origin_names,
        description=table.description,
        attributes=(
            None
            if table.class_attributes is None
            else attributes_to_json(table.class_attributes)
        ),
    ), load
