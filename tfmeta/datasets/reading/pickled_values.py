"""What lies on the stack of a pickle: values, and what is about to become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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


class Global(Pending):
    """A name in the pickle: something we build, or a mere argument of that.

    Args:
        name: The name.
        builder: Makes what a call of it would make, from the arguments.
    """

    def __init__(self, name: str, builder: Callable[[list[Any]], Any] | None) -> None:
        self.name = name
        self._builder = builder

    def __str__(self) -> str:
        return f"class {self.name}"

    def build(self, arguments: list[Any]) -> Any:
        """What calling it with these arguments would have made."""
        if self._builder is None:
            raise ValueError(f"a call of {self.name}")
        return self._builder(arguments)


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


def short(value: Any) -> str:
    """Some text to show of a value, whatever it is and however long."""
    return repr(value[:100] if isinstance(value, str | bytes) else type(value).__name__)


def _is_atom(value: Any) -> bool:
    # Python hashes integers modulo 2 ** 61 - 1: of larger ones, any number could
    # share one hash.
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return value is None or isinstance(value, str | bytes | float | np.generic)
