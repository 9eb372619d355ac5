"""What a pickle may name, built from what it says and never by what it names.

Nothing here is imported or called because a pickle asks for it: its names are
looked up in one table, and this module builds the value itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_DTYPE = re.compile(
    r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[SU]\d{1,9}|O\d?)"
)
# Converting nested tuples recurses, and their hash does so without a limit.
_MAX_DEPTH = 64
_MAX_KEY_PARTS = 16


class Pending:
    """Something on the stack that is not yet, or never, a value of its own."""

    def plain(self) -> Any:
        """The value."""
        raise ValueError(f"{self} by itself")


class Payload(Pending):
    """Many bytes, left in the file until someone wants them as a value."""

    def __init__(self, view: memoryview, is_text: bool) -> None:
        self.view = view
        self._is_text = is_text
        self._plain: str | bytes | None = None

    def plain(self) -> str | bytes:
        """Bytes, or text for a string of Python 2; the same object each time."""
        if self._plain is None:
            text = self._is_text
            self._plain = str(self.view, "latin1") if text else bytes(self.view)
        return self._plain


class PickledTuple(Pending):
    """A tuple whose items may be pending."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self._plain: tuple[Any, ...] | None = None
        inner = [i.depth for i in items if isinstance(i, PickledTuple)]
        self.depth: int = 1 + max(inner, default=0)
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"tuples nested more than {_MAX_DEPTH} deep")

    def plain(self) -> tuple[Any, ...]:
        """The tuple; the same object each time, as one tuple may be in many."""
        if self._plain is None:
            self._plain = tuple(plain(item) for item in self.items)
        return self._plain


class PickledDtype(Pending):
    """A dtype; its byte order comes after it."""

    def __init__(self, arguments: list[Any]) -> None:
        code = plain(arguments[0]) if arguments else None
        if isinstance(code, bytes):
            code = code.decode("latin1")
        if not isinstance(code, str) or _DTYPE.fullmatch(code) is None:
            raise ValueError(f"an array of dtype {_short(code)}")
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


class Global(Pending):
    """A name in the pickle: something we build, or a mere argument of that."""

    def __init__(self, name: str) -> None:
        if name not in _BUILDERS:
            raise ValueError(f"class or function {_short(name)}, which is refused")
        self.name = name

    def __str__(self) -> str:
        return f"class {self.name}"

    def build(self, arguments: list[Any]) -> Any:
        """What calling it with these arguments would have made."""
        builder = _BUILDERS[self.name]
        if builder is None:
            raise ValueError(f"a call of {self.name}")
        return builder(arguments)


def plain(value: Any) -> Any:
    """A value from the stack as it may lie in a list or a dictionary."""
    return value.plain() if isinstance(value, Pending) else value


def key(value: Any) -> Any:
    """A value from the stack as a key, which hashes quickly and unlike others."""
    value = plain(value)
    parts = value if isinstance(value, tuple) else (value,)
    if len(parts) > _MAX_KEY_PARTS or not all(_is_atom(part) for part in parts):
        raise ValueError(
            f"a {type(value).__name__} as a key or in a set, where only text, bytes, "
            "numbers and short tuples of them are accepted"
        )
    return value


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
        raise ValueError(f"an array in the order {_short(order)}")
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


def _is_atom(value: Any) -> bool:
    # Python hashes integers modulo 2 ** 61 - 1: of larger ones, any number could
    # share one hash.
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return value is None or isinstance(value, str | bytes | float | np.generic)


def _short(text: Any) -> str:
    return repr(text[:100] if isinstance(text, str | bytes) else type(text).__name__)


def _array(arguments: list[Any]) -> np.ndarray:
    if len(arguments) not in (4, 5):
        raise ValueError("an array that is not in four or five parts")
    content, dtype, shape, order, *axes = arguments
    return array_of(content, dtype, shape, order, *axes)


def _scalar(arguments: list[Any]) -> Any:
    if len(arguments) != 2:
        raise ValueError("a number that is not in two parts")
    dtype, content = arguments
    return array_of(content, dtype, PickledTuple([1]), "C")[0]


def _encoded(arguments: list[Any]) -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    text, encoding = (plain(a) for a in (*arguments, None, None)[:2])
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes that are not text of Latin-1")
    return text.encode("latin1")


def _bytes(arguments: list[Any]) -> bytes:
    if arguments:
        raise ValueError("bytes made from something")
    return b""


def _set(arguments: list[Any]) -> set[Any]:
    items = arguments[0] if arguments else []
    if not isinstance(items, list) or len(arguments) > 1:
        raise ValueError("a set that is made from no list")
    return {key(item) for item in items}


def _dictionary(arguments: list[Any]) -> dict[Any, Any]:
    """An empty one: an ordered one, or one whose default nobody needs here."""
    if any(not isinstance(argument, Global) for argument in arguments):
        raise ValueError("a dictionary that is made from something")
    return {}


_BUILDERS: dict[str, Callable[[list[Any]], Any] | None] = {
    "numpy.ndarray": None,
    "numpy.dtype": PickledDtype,
    "_codecs.encode": _encoded,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": _dictionary,
}
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    _BUILDERS[f"{_core}.multiarray._reconstruct"] = PickledArray
    _BUILDERS[f"{_core}.multiarray.scalar"] = _scalar
    _BUILDERS[f"{_core}.numeric._frombuffer"] = _array
for _builtins in ("builtins", "__builtin__"):  # Python 3, and 2
    _BUILDERS[f"{_builtins}.bytes"] = _bytes
    _BUILDERS[f"{_builtins}.set"] = _set
    _BUILDERS[f"{_builtins}.frozenset"] = lambda a: frozenset(_set(a))
    for _name in ("list", "dict", "int"):  # the default of a defaultdict
        _BUILDERS[f"{_builtins}.{_name}"] = None
