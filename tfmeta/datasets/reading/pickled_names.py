"""What a pickle may name. Nothing is imported or called because it asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfmeta.datasets.reading.pickled_arrays import PickledArray, PickledDtype, array_of
from tfmeta.datasets.reading.pickled_values import (
    Global,
    PickledTuple,
    key,
    plain,
    short,
)


def named(name: str) -> Global:
    """What a pickle means by a name.

    Args:
        name: Module and name, with a dot between them.

    Returns:
        What builds it here.

    Raises:
        ValueError: When it is none of the few that are accepted.
    """
    if name not in _BUILDERS:
        raise ValueError(f"class or function {short(name)}, which is refused")
    return Global(name, _BUILDERS[name])


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
