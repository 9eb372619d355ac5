"""NumPy arrays of a pickle, built from what it says of them."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from tfmeta.datasets.reading.pickled_values import (
    Global,
    Payload,
    Pending,
    PickledTuple,
    plain,
    short,
)

_DTYPE = re.compile(
    r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[SU]\d{1,9}|O\d?)"
)


class PickledDtype(Pending):
    """A dtype; its byte order comes after it."""

    def __init__(self, arguments: list[Any]) -> None:
        code = plain(arguments[0]) if arguments else None
        if isinstance(code, bytes):
            code = code.decode("latin1")
        if not isinstance(code, str) or _DTYPE.fullmatch(code) is None:
            raise ValueError(f"an array of dtype {short(code)}")
        self.dtype = np.dtype("O" if "O" in code else code)

    def __str__(self) -> str:
        return f"dtype {self.dtype}"

    def build(self, state: Any) -> None:
        """Takes the byte order; all else follows from the code."""
        items = state.items if isinstance(state, PickledTuple) else []
        order = plain(items[1]) if len(items) > 4 else None
        order = order.decode("latin1") if isinstance(order, bytes) else order
        if order not in ("<", ">", "|", "=") or any(i is not None for i in items[2:5]):
            raise ValueError(f"a dtype with parts, made from {self}")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]


class PickledArray(Pending):
    """An array; its content comes after it."""

    def __init__(self, arguments: list[Any]) -> None:
        subtype = arguments[0] if arguments else None
        if not isinstance(subtype, Global) or subtype.name != "numpy.ndarray":
            raise ValueError("an array that is none of class numpy.ndarray")
        self.array: np.ndarray | None = None

    def build(self, state: Any) -> None:
        """Takes version, shape, dtype, column order and content."""
        items = state.items if isinstance(state, PickledTuple) else []
        if self.array is not None or len(items) != 5:
            raise ValueError("an array that is filled twice, or not in five parts")
        _, shape, dtype, by_column, content = items
        self.array = array_of(content, dtype, shape, "F" if by_column else "C")

    def plain(self) -> np.ndarray:
        """The array."""
        if self.array is None:
            raise ValueError("an array that is used before it is filled")
        return self.array


def array_of(
    content: Any, dtype: Any, shape: Any, order: str, axes: Any = None
) -> np.ndarray:
    """Lays an array over content that is exactly as long as it must be.

    Args:
        content: `Payload`, bytes, text of Latin-1, or a list of objects.
        dtype: The `PickledDtype`.
        shape: `PickledTuple` of lengths.
        order: `"C"`, `"F"`, or `"K"` with `axes`.
        axes: `PickledTuple`, the order of axes of a transposed array.

    Returns:
        The array. It shares memory with the content and is read-only where it
        can.

    Raises:
        ValueError: When the parts do not fit each other.
    """
    if not isinstance(dtype, PickledDtype):
        raise ValueError("an array without a dtype")
    lengths = _integers(shape)
    count = math.prod(lengths)
    if order not in ("C", "F", "K") or (order == "K") != (axes is not None):
        raise ValueError(f"an array in the order {short(order)}")
    flat: np.ndarray
    if dtype.dtype == object:
        if not isinstance(content, list) or len(content) != count:
            raise ValueError(f"an array of {count:,} objects without a list of them")
        flat = np.empty(count, object)
        for index, item in enumerate(content):
            flat[index] = item
    else:
        content = _buffer(content)
        if dtype.dtype.itemsize * count != len(content):
            raise ValueError(
                f"{len(content):,} bytes for an array of shape {lengths} and dtype "
                f"{dtype.dtype}"
            )
        # NumPy itself relies on booleans being 0 or 1.
        if dtype.dtype == bool and np.frombuffer(content, np.uint8).max(initial=0) > 1:
            raise ValueError("an array of booleans other than 0 and 1")
        flat = np.frombuffer(content, dtype.dtype, count)
        if not (flat.flags.aligned and dtype.dtype.isnative):
            flat = flat.astype(dtype.dtype.newbyteorder("="))
    if order == "K":
        return flat.reshape(lengths).transpose(_integers(axes))
    return flat.reshape(lengths, order="F" if order == "F" else "C")


def _integers(value: Any) -> tuple[int, ...]:
    items = value.items if isinstance(value, PickledTuple) else [None]
    if len(items) > 64 or any(type(n) is not int or not 0 <= n < 2**62 for n in items):
        raise ValueError("an array of a shape that is no tuple of lengths")
    return tuple(items)


def _buffer(content: Any) -> memoryview | bytes:
    content = content.view if isinstance(content, Payload) else content
    content = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(content, memoryview | bytes):
        raise ValueError("an array whose content is no bytes")
    return content
