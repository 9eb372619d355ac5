"""Checks of the numbers and words that say how a policy is trained."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def one_of(name: str, value: Any, words: Collection[str]) -> Any:
    """Returns `value` when it is one of `words`."""
    if value not in words:
        raise ValueError(
            f"`{name}` must be one of {', '.join(words)}. Received: {name}={value!r}"
        )
    return value


def above_zero(name: str, value: float) -> float:
    """Returns `value` as a float when it is above 0 and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(
            f"`{name}` must be above 0 and finite. Received: {name}={value!r}"
        )
    return float(value)


def fraction(name: str, value: float) -> float:
    """Returns `value` as a float when it is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be from 0 to 1. Received: {name}={value!r}")
    return float(value)
