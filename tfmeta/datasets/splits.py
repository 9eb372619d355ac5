"""The names of splits, and choosing their classes."""

from __future__ import annotations

from tfmeta.datasets.class_table import ClassTable

SPLITS = ("train", "validation", "test")


def check_split(data_set: str, split: str, accepted: tuple[str, ...] = SPLITS) -> None:
    """Raises `ValueError` for a split that a data set does not have."""
    if split not in accepted:
        raise ValueError(
            f"`split` of {data_set} must be one of {list(accepted)}. Received: "
            f"{split!r}"
        )


def take_groups(table: ClassTable, groups: tuple[str, ...]) -> ClassTable:
    """The classes of some groups, in the order of the table.

    Raises:
        ValueError: When the table lacks one of the groups.
    """
    of_class = table.groups or ()
    missing = sorted(set(groups) - set(of_class))
    if missing:
        raise ValueError(
            f"the {table.group_level}s of table {table.name!r} must include "
            f"{', '.join(groups)}; remove the table and import it again. Received: "
            f"none called {', '.join(missing)}"
        )
    return table.take_classes([c for c, g in enumerate(of_class) if g in groups])
