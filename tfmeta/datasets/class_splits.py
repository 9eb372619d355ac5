"""Splitting a table into parts that share no class: by ratio, by group, by name."""

from __future__ import annotations

import operator
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from tfmeta.datasets.class_table import ClassTable

RATIOS = {"train": 0.6, "validation": 0.2, "test": 0.2}
"""What is split when no ratios are given."""


def split_by_ratio(
    table: ClassTable, ratios: Mapping[str, float] = RATIOS, *, seed: int = 0
) -> dict[str, ClassTable]:
    """Splits the classes at random.

    Classes of one origin (the rotations of a character) stay together. The same
    names and seed give the same splits in every process and with every version
    of NumPy.

    Args:
        table: The table.
        ratios: Share of the classes by name of the split. They sum to 1.
        seed: An int from 0. Another seed gives other splits.

    Returns:
        A table for each split, its classes in the order of `table`. Each has at
        least one class; beyond that the number of origins is off by less than
        one from its share.

    Raises:
        TypeError: When `seed` is no integer.
        ValueError: When there are fewer classes (origins) than splits, ratios are
            not above 0 or do not sum to 1, or `seed` is negative.

    Example:

    ```python
    splits = split_by_ratio(table, {"train": 0.6, "validation": 0.2, "test": 0.2})
    splits["test"].num_classes
    ```
    """
    return _taken(table, assign_by_ratio(table.origins, ratios, seed=seed), ratios)


def split_by_group(
    table: ClassTable, ratios: Mapping[str, float] = RATIOS, *, seed: int = 0
) -> dict[str, ClassTable]:
    """Splits at random by groups: all classes of a group stay together.

    A test on groups that were never seen (another family of birds, another
    alphabet) asks for more than one on classes whose relatives were trained on.

    Args:
        table: A table with groups.
        ratios: Share of the groups by name of the split. They sum to 1. Where
            groups differ in size, the shares of the classes differ from this.
        seed: An int from 0. Another seed gives other splits.

    Returns:
        A table for each split, its classes in the order of `table`.

    Raises:
        TypeError: When `seed` is no integer.
        ValueError: When the table has no groups or fewer than splits, when a class
            and one made from it are in two groups, ratios are not above 0 or do
            not sum to 1, or `seed` is negative.

    Example:

    ```python
    splits = split_by_group(omniglot, {"train": 0.7, "test": 0.3})
    set(splits["train"].groups) & set(splits["test"].groups)  # set()
    ```
    """
    groups = groups_with_origins(table)
    assigned = assign_by_ratio(groups, ratios, seed=seed, what=f"{table.group_level}s")
    return _taken(table, assigned, ratios)


def split_by_names(
    table: ClassTable,
    names: Mapping[str, Collection[str]],
    *,
    by_group: bool = False,
    allow_unlisted: bool = False,
) -> dict[str, ClassTable]:
    """Splits by lists of names, as they are published with many data sets.

    Args:
        table: The table.
        names: The names of the classes by name of the split. The name of the
            class that others were made from stands for all of them.
        by_group: Whether they are names of groups instead.
        allow_unlisted: Whether classes may be in no list; they are left out.

    Returns:
        A table for each split, its classes in the order of `table`.

    Raises:
        ValueError: When a name is not in the table or in two lists, a list is
            empty, a class is in none, or classes of one origin are in two splits.

    Example:

    ```python
    splits = split_by_names(table, {"train": ["cup", "fork"], "test": ["spoon"]})
    ```
    """
    if not names:
        raise ValueError("`names` must name at least one split. Received: none")
    unit_names = _groups(table) if by_group else table.class_names
    origins = None if by_group else table.origin_names
    known = {*unit_names, *(origins or ())}
    split_of: dict[str, str] = {}
    for split, listed in names.items():
        if not listed or isinstance(listed, str):
            raise ValueError(
                f"`names` must list at least one name for each split. Received: "
                f"{listed!r} for {split!r}"
            )
        for name in listed:
            if name not in known:
                raise ValueError(
                    f"`names` must be in table {table.name!r}. Received: {name!r} in "
                    f"split {split!r}"
                )
            if split_of.setdefault(name, split) != split:
                raise ValueError(
                    "`names` must list each name in one split. Received: "
                    f"{name!r} in {split_of[name]!r} and {split!r}"
                )
    assigned: list[str | None] = []
    for index, name in enumerate(unit_names):
        origin = name if origins is None else origins[index]
        assigned.append(split_of.get(name, split_of.get(origin)))
        if assigned[-1] is None and not allow_unlisted:
            raise ValueError(
                "`names` must list every class, unless `allow_unlisted` is True. "
                f"Received: {name!r} of table {table.name!r} in no list"
            )
    of_origin: dict[str, str | None] = {}
    for origin, found in zip(table.origins, assigned, strict=True):
        if of_origin.setdefault(origin, found) != found:
            raise ValueError(
                "classes of one origin must be in one split. Received: classes of "
                f"{origin!r} in {of_origin[origin] or 'none'!r} and {found or 'none'!r}"
            )
    return _taken(table, assigned, names)


def assign_by_ratio(
    units: Sequence[str],
    ratios: Mapping[str, float],
    *,
    seed: int = 0,
    what: str = "classes",
) -> list[str]:
    """The split of each unit; equal units get the same.

    Args:
        units: What is split, such as the names of classes.
        ratios: Share of the different units by name of the split.
        seed: An int from 0.
        what: What the units are, for the messages.

    Returns:
        For each unit the name of its split.

    Raises:
        TypeError: When `seed` is no integer.
        ValueError: As of `split_by_ratio`.

    Example:

    ```python
    assign_by_ratio(["a", "b", "c"], {"train": 0.6, "test": 0.4})
    ```
    """
    seed = check_ratios(ratios, seed)
    different = sorted(set(units))
    counts = _apportion(len(different), list(ratios.values()))
    if len(different) < len(ratios):
        raise ValueError(
            f"each of the {len(ratios)} splits must have at least one of the {what}. "
            f"Received: {len(different)} {what}; take fewer splits"
        )
    # The raw stream of a bit generator is promised to stay as it is; what a
    # `Generator` makes of it, such as a permutation, is not.
    keys = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(len(different))
    order = np.argsort(keys, kind="stable")
    of_rank = np.repeat(np.array(list(ratios), object), counts)
    split_of = {different[unit]: of_rank[rank] for rank, unit in enumerate(order)}
    return [split_of[unit] for unit in units]


def check_ratios(ratios: Mapping[str, float], seed: int) -> int:
    """Checks what a split is drawn by; returns the seed as an int.

    Raises:
        TypeError: When `seed` is no integer.
        ValueError: When ratios are not above 0 or do not sum to 1, or `seed` is
            negative.
    """
    if not ratios or not all(0 < r <= 1 for r in ratios.values()):
        raise ValueError(
            f"`ratios` must be above 0, one for each split. Received: {dict(ratios)}"
        )
    if abs(sum(ratios.values()) - 1) > 1e-6:
        raise ValueError(
            f"`ratios` must sum to 1. Received: {dict(ratios)}, which sum to "
            f"{sum(ratios.values()):g}"
        )
    seed = operator.index(seed)
    if seed < 0:
        raise ValueError(f"`seed` must be an int from 0. Received: {seed}")
    return seed


def _apportion(total: int, ratios: Sequence[float]) -> list[int]:
    """Whole numbers of that total: largest remainders, and none of them 0."""
    shares = [total * ratio for ratio in ratios]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(ratios)), key=lambda i: counts[i] - shares[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    while 0 in counts and max(counts) > 1:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    return counts


def groups_with_origins(table: ClassTable) -> tuple[str, ...]:
    """The group of each class, all classes of one origin being in one.

    Raises:
        ValueError: When the table has no groups, or a class and one made from it are
            in two.
    """
    groups = _groups(table)
    group_of: dict[str, str] = {}
    for origin, group in zip(table.origins, groups, strict=True):
        if group_of.setdefault(origin, group) != group:
            raise ValueError(
                f"classes of one origin must be in one {table.group_level}. Received: "
                f"{origin!r} in {group_of[origin]!r} and {group!r}"
            )
    return groups


def _groups(table: ClassTable) -> tuple[str, ...]:
    if table.groups is None:
        raise ValueError(f"table {table.name!r} must have groups. Received: none")
    return table.groups


def _taken(
    table: ClassTable, assigned: Sequence[str | None], splits: Collection[Hashable]
) -> dict[str, ClassTable]:
    tables = {}
    for split in splits:
        chosen = [c for c, found in enumerate(assigned) if found == split]
        tables[str(split)] = table.take_classes(chosen)
    return tables
