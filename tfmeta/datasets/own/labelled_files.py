"""Files of examples with their classes, before any of them is read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.reading.pictures import SUFFIXES as PICTURE_SUFFIXES

Kind = Literal["pictures", "texts", "arrays"]

# Of files of one array, and of one text.
ARRAY_SUFFIXES = (".npy", ".npz")
TEXT_SUFFIX = ".txt"


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
    def kind(self) -> Kind:
        """What the files hold, as of `kind_of_files`."""
        return kind_of_files(self.files, self.source)

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


def check_one_group(groups: dict[str, str], label: str, group: str, where: str) -> None:
    """Keeps the group of a class.

    Args:
        groups: Group name by class name, of what came before; gets this one.
        label: The class.
        group: Its group.
        where: Where that stands, for the message.

    Raises:
        ValueError: When the class has another group already.
    """
    if groups.setdefault(label, group) != group:
        raise ValueError(
            f"{where}: a class must have one group. Received: {label!r} with "
            f"{groups[label]!r} before and {group!r} here"
        )


def kind_of_files(files: Sequence[Path], source: Path) -> Kind:
    """What files hold, by their names.

    `"arrays"` when all are `.npy` or `.npz` files, `"texts"` when all are `.txt`
    files. Where some are named as pictures, what is none is found when it is read.

    Args:
        files: The files.
        source: Where they were listed, for the message.

    Raises:
        ValueError: When some are arrays and some are not, or some are texts and others
            neither texts nor pictures; names one of each.
    """
    suffixes = [file.suffix.lower() for file in files]
    is_array = [suffix in ARRAY_SUFFIXES for suffix in suffixes]
    is_text = [suffix == TEXT_SUFFIX for suffix in suffixes]
    if any(is_array):
        _check_alone(files, is_array, ".npy and .npz files", source)
        return "arrays"
    if any(is_text) and not set(suffixes) & set(PICTURE_SUFFIXES):
        _check_alone(files, is_text, ".txt files", source)
        return "texts"
    return "pictures"


def _check_alone(
    files: Sequence[Path], fits: Sequence[bool], kind: str, source: Path
) -> None:
    if all(fits):
        return
    first = files[fits.index(True)]
    other = files[fits.index(False)]
    raise ValueError(
        f"{str(source)!r} must hold pictures alone, .txt files alone or .npy and .npz "
        f"files alone. Received: {sum(fits):,} {kind}, the first {str(first)!r}, and "
        f"{len(fits) - sum(fits):,} others, the first {str(other)!r}"
    )
