"""Checks of the whole numbers that describe episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_count(name: str, value: int, least: int) -> int:
    """Returns `value` as an int when it is a whole number of at least `least`."""
    if not _is_whole(value) or value < least:
        raise ValueError(
            f"`{name}` must be an int of at least {least}. Received: {name}={value!r}"
        )
    return int(value)


def check_concentration(name: str, value: float | None) -> float | None:
    """Returns `value` as a float when it is above 0 and finite, or `None`."""
    if value is None:
        return None
    if not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be above 0 and finite, or None. Received: {name}={value!r}"
        )
    return float(value)


def check_range(name: str, value: int | Sequence[int], least: int) -> tuple[int, int]:
    """Returns `value` as the pair (smallest, largest); an int is both."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if (
        len(pair) != 2
        or not all(map(_is_whole, pair))
        or not least <= pair[0] <= pair[1]
    ):
        raise ValueError(
            f"`{name}` must be an int of at least {least}, or a pair "
            f"(smallest, largest) of such. Received: {name}={value!r}"
        )
    return int(pair[0]), int(pair[1])
