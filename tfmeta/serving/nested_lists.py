"""Nested lists of JSON as arrays: of one type, not ragged, of no surprising size.

NumPy would take `[1, "a"]` for texts, each as wide as the longest, and `[true, 2]` for
numbers.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

_MOST_DIMENSIONS = 32


def flattened(value: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
    """The values of nested lists in order, and the shape.

    Args:
        value: Lists of lists, or a single value.
        what: What it is called in messages.

    Raises:
        ValueError: When lists of one level differ in length, or some hold lists and
            others values.
    """
    level, shape = [value], ()  # type: tuple[list[Any], tuple[int, ...]]
    while level and (kinds := set(map(type, level))) and list in kinds:
        if len(kinds) > 1:
            raise ValueError(
                f"{what} must hold lists or values at each level. Received: both in "
                f"dimension {len(shape)}"
            )
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise ValueError(
                f"{what} must not be ragged. Received: lists of lengths from "
                f"{min(lengths)} to {max(lengths)} in dimension {len(shape)}"
            )
        if len(shape) == _MOST_DIMENSIONS:
            raise ValueError(
                f"{what} must have at most {_MOST_DIMENSIONS} dimensions. Received: "
                "more"
            )
        shape = (*shape, lengths.pop())
        level = list(chain.from_iterable(level))
    return level, shape


def as_numbers(values: list[Any], dtype: np.dtype, what: str) -> np.ndarray:
    """Plain values as a flat array of a dtype of numbers or bools, without loss.

    Args:
        values: Of JSON.
        dtype: The dtype. Whole numbers and fractions are taken for floats, whole
            numbers in range for integers, true and false for bools.
        what: What they are called in messages.

    Raises:
        ValueError: When a value is of another type, out of range, or not finite.
    """
    kinds = set(map(type, values))
    by_kind: dict[str, set[type]] = {"f": {int, float}, "b": {bool}}
    accepted = by_kind.get(dtype.kind, {int})
    if kinds - accepted:
        words = {"f": "finite numbers", "b": "true or false"}
        others = sorted(_WORDS.get(kind, kind.__name__) for kind in kinds - accepted)
        raise ValueError(
            f"{what} must hold {words.get(dtype.kind, 'whole numbers')}, of "
            f"{dtype.name}. Received: {', '.join(others)}"
        )
    try:
        if dtype.kind == "b":
            return np.array(values, bool)
        if dtype.kind != "f":
            return _integers(values, dtype, what)
        with np.errstate(over="ignore"):
            found = np.array(values, np.float64).astype(dtype)
    except OverflowError:
        found = np.array([np.inf])
    wrong = np.count_nonzero(~np.isfinite(found))
    if wrong:
        raise ValueError(
            f"{what} must hold finite numbers, of {dtype.name}. Received: {wrong} that "
            "are not"
        )
    return found


_WORDS: dict[type, str] = {
    **{int: "whole numbers", float: "numbers with a fraction", str: "texts"},
    **{bool: "true or false", type(None): "null", dict: "mappings", list: "lists"},
}


def _integers(values: list[int], dtype: np.dtype, what: str) -> np.ndarray:
    bounds = np.iinfo(dtype)
    least, most = (min(values), max(values)) if values else (0, 0)
    if least < bounds.min or most > bounds.max:
        raise ValueError(
            f"{what} must hold whole numbers from {bounds.min} to {bounds.max}, of "
            f"{dtype.name}. Received: some from {least:.6g} to {most:.6g}"
            if abs(least) < 2**63 and abs(most) < 2**63
            else f"{what} must hold whole numbers from {bounds.min} to {bounds.max}, "
            f"of {dtype.name}. Received: larger ones"
        )
    return np.array(values, dtype)
