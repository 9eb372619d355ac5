"""Files of examples with their classes, before any of them is read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable


@dataclasses.dataclass(frozen=True)
class LabelledFiles:
    """Files, one example each, with the class of each.

    They come out grouped by class, classes sorted by name, in the order given
    within a class.

    Args:
        source: The folder or file that they were listed from.
        name: Name of the data set.
        files: The files.
        labels: The class name of each file.
        groups: Group name by class name, or `None` where there are none.
        group_level: What a group is called.
        notes: What was passed over where they were listed, one sentence each.
    """

    source: Path
    name: str
    files: tuple[Path, ...]
    labels: tuple[str, ...]
    groups: Mapping[str, str] | None = None
    group_level: str = "group"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        order = sorted(range(len(self.labels)), key=self.labels.__getitem__)
        object.__setattr__(self, "files", tuple(self.files[i] for i in order))
        object.__setattr__(self, "labels", tuple(self.labels[i] for i in order))

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(dict.fromkeys(self.labels))

    @cached_property
    def class_sizes(self) -> tuple[int, ...]:
        """How many files each class has."""
        sizes = Counter(self.labels)
        return tuple(sizes[name] for name in self.class_names)

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """Per class, what `ClassTable.origins` is going to be."""
        return tuple(f"{self.name}/{name}" for name in self.class_names)

    @property
    def kind(self) -> Literal["pictures", "arrays"]:
        """`"arrays"` when all files are `.npy` files, `"pictures"` when none is.

        Raises:
            ValueError: When some are and some are not; names one of each.
        """
        arrays = [f for f in self.files if f.suffix.lower() == ".npy"]
        if not arrays:
            return "pictures"
        others = [f for f in self.files if f.suffix.lower() != ".npy"]
        if others:
            raise ValueError(
                f"{str(self.source)!r} must hold pictures alone or .npy files alone. "
                f"Received: {len(arrays)} .npy files, the first {str(arrays[0])!r}, "
                f"and {len(others)} others, the first {str(others[0])!r}"
            )
        return "arrays"

    def take_classes(self, names: Collection[str]) -> LabelledFiles:
        """The files of some of the classes."""
        wanted = set(names)
        pairs = [
            (file, label)
            for file, label in zip(self.files, self.labels, strict=True)
            if label in wanted
        ]
        files, labels = zip(*pairs, strict=True)
        return dataclasses.replace(self, files=files, labels=labels)

    def to_table(self, examples: np.ndarray, description: str) -> ClassTable:
        """The table of what was read from the files.

        Args:
            examples: Array of shape `(files, *example)`, in the order of the files.
            description: One line on where the examples come from.

        Returns:
            The table. It holds `examples` itself, not a copy.
        """
        names = self.class_names
        groups = self.groups
        return ClassTable(
            name=self.name,
            examples=examples,
            offsets=np.cumsum([0, *self.class_sizes]),
            class_names=names,
            groups=None if groups is None else tuple(groups[n] for n in names),
            group_level=self.group_level,
            description=description,
        )
