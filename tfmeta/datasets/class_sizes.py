"""Which tasks some classes allow, from their names and sizes alone."""

from __future__ import annotations

import dataclasses
from collections import Counter

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles


@dataclasses.dataclass(frozen=True)
class ClassSizes:
    """How many examples each class has, be they read already or not.

    Attributes:
        name: Name of the data set.
        class_names: Names of the classes.
        sizes: Examples of each.
        origins: The class that each was made from, as of `ClassTable`.
        groups: The group of each, or `None`.
        group_level: What a group is called.
    """

    name: str
    class_names: tuple[str, ...]
    sizes: tuple[int, ...]
    origins: tuple[str, ...]
    groups: tuple[str, ...] | None
    group_level: str

    @classmethod
    def of(cls, source: ClassTable | LabelledFiles) -> ClassSizes:
        """Those of a table, or of files before they are read."""
        if isinstance(source, ClassTable):
            groups = source.groups
        elif source.groups is None:
            groups = None
        else:
            groups = tuple(source.groups[name] for name in source.class_names)
        return cls(
            name=source.name,
            class_names=source.class_names,
            sizes=tuple(map(int, source.class_sizes)),
            origins=source.origins,
            groups=groups,
            group_level=source.group_level,
        )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def num_examples(self) -> int:
        """The number of examples of all classes together."""
        return sum(self.sizes)

    def most_ways(self, *, same_group: bool = False) -> int:
        """The most classes that can meet in a task; those of one origin do not.

        Args:
            same_group: Whether all classes of a task are of one group.
        """
        return max(Counter(self._members(same_group).values()).values())

    def smallest(self, *, ways: int = 1, same_group: bool = False) -> tuple[str, int]:
        """The smallest class that can be drawn into a task, and its size.

        Args:
            ways: The least classes of a group that is drawn from.
            same_group: Whether all classes of a task are of one group.
        """
        inside = Counter(self._members(same_group).values())
        groups = self.groups if same_group else None
        drawn = [
            (size, name)
            for place, (name, size) in enumerate(
                zip(self.class_names, self.sizes, strict=True)
            )
            if inside["" if groups is None else groups[place]] >= ways
        ]
        size, name = min(drawn)
        return name, size

    def _members(self, same_group: bool) -> dict[tuple[str, str], str]:
        """The group of each origin in it, "" for all of them without groups."""
        groups = self.groups if same_group else None
        if groups is None:
            groups = ("",) * self.num_classes
        pairs = zip(groups, self.origins, strict=True)
        return {(group, origin): group for group, origin in pairs}
