"""Equal examples, counted and named in pairs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

MOST_NAMED = 10


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Equal examples, in pairs.

    Args:
        pairs: How many pairs there are.
        named: The first of them, at most ten.
    """

    pairs: int
    named: tuple[tuple[str, str], ...]


def find_duplicates(
    equal: Iterable[list[int]], names: Sequence[str], labels: Sequence[str]
) -> tuple[Duplicates, Duplicates]:
    """Pairs of equal examples in two classes, and in one.

    Args:
        equal: Lists of the rows that are equal to each other.
        names: Name of the example of each row.
        labels: Class of the example of each row.

    Returns:
        Those across classes, and those within.
    """
    pairs_across = pairs_within = 0
    across: list[tuple[str, str]] = []
    within: list[tuple[str, str]] = []
    for rows in equal:
        if len(rows) == 1:
            continue
        of_class: dict[str, list[int]] = {}
        for row in rows:
            of_class.setdefault(labels[row], []).append(row)
        # Counted, not listed: of a thousand blank pictures there are half a million.
        inside = sum(math.comb(len(found), 2) for found in of_class.values())
        pairs_within += inside
        pairs_across += math.comb(len(rows), 2) - inside
        firsts = [found[0] for found in of_class.values()]
        for a, b in itertools.combinations(firsts, 2):
            if len(across) == MOST_NAMED:
                break
            across.append((names[a], names[b]))
        for first, *others in of_class.values():
            for other in others[: MOST_NAMED - len(within)]:
                within.append((names[first], names[other]))
    return (
        Duplicates(pairs_across, tuple(across)),
        Duplicates(pairs_within, tuple(within)),
    )
