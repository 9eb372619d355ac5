"""Splitting classes by a hash of their names, so that a new one moves no other."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from tfmeta.datasets.class_splits import RATIOS, check_ratios


class TooFewClasses(ValueError):
    """Fewer classes, or groups, than splits.

    Attributes:
        count: How many there are.
    """

    def __init__(self, count: int, splits: int, what: str) -> None:
        super().__init__(
            f"each of the {splits} splits must have at least one of the {what}. "
            f"Received: {count} {what}; take fewer splits"
        )
        self.count = count


def assign_by_hash(
    units: Sequence[str],
    ratios: Mapping[str, float] = RATIOS,
    *,
    seed: int = 0,
    least: int = 2,
    what: str = "classes",
) -> list[str]:
    """The split of each unit, by its name and not by what else there is.

    Each is drawn for a split on its own, so that the sizes of the splits vary about
    their shares. Only a split that gets fewer than `least`, or far fewer than its
    share, is filled up from the others: so one more may move another, mostly where
    there are few.

    Args:
        units: What is split, such as the names of classes; equal ones stay together.
        ratios: Share of the different units by name of the split. They sum to 1.
        seed: An int from 0. Another seed gives other splits.
        least: How many units each split has at least, as far as there are enough.
        what: What the units are, for the messages.

    Returns:
        For each unit the name of its split.

    Raises:
        TypeError: When `seed` is no integer.
        TooFewClasses: A ValueError, when there are fewer units than splits.
        ValueError: When ratios are not above 0 or do not sum to 1, or `seed` is
            negative.

    Example:

    ```python
    before = assign_by_hash([f"class{n}" for n in range(40)])
    after = assign_by_hash([f"class{n}" for n in range(41)])
    before == after[:40]  # True
    ```
    """
    seed = check_ratios(ratios, seed)
    different = sorted(set(units))
    if len(different) < len(ratios):
        raise TooFewClasses(len(different), len(ratios), what)
    split_of = {unit: _drawn(ratios, _share(seed, unit)) for unit in different}
    minima = _minima(len(different), ratios, least)
    counts = {split: 0 for split in ratios}
    for split in split_of.values():
        counts[split] += 1
    for split in ratios:
        while counts[split] < minima[split]:
            spare = [u for u, s in split_of.items() if counts[s] > minima[s]]
            moved = min(spare, key=lambda unit: _share(seed, f"{split}\0{unit}"))
            counts[split_of[moved]] -= 1
            counts[split] += 1
            split_of[moved] = split
    return [split_of[unit] for unit in units]


def _share(seed: int, text: str) -> float:
    """A number in [0, 1) that is the same everywhere."""
    digest = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:6], "big") / 2**48


def _drawn(ratios: Mapping[str, float], share: float) -> str:
    reached = 0.0
    for split, ratio in ratios.items():
        reached += ratio
        if share < reached:
            return split
    return split


def _minima(count: int, ratios: Mapping[str, float], least: int) -> dict[str, int]:
    """The smallest size of each split; in all no more than there are units."""
    shares = {split: count * ratio for split, ratio in ratios.items()}
    # Rarely reached by chance, whose spread is about the root: what fills up moves.
    minima = {s: max(least, math.ceil(x - 1.5 * x**0.5)) for s, x in shares.items()}
    while sum(minima.values()) > count:
        largest = max(minima.values())
        last = [split for split, size in minima.items() if size == largest][-1]
        minima[last] -= 1
    return minima
