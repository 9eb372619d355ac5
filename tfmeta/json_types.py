"""JSON values of the types that are wanted of them, as type hints say it."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Iterator
from typing import Any

# Anything beyond fits into no array.
_MOST = 2**63
_WORDS = {
    bool: "true or false",
    int: f"an integer below 2**{_MOST.bit_length() - 1}",
    float: "a finite number",
    str: "a text",
    types.NoneType: "null",
    list: "a list",
    dict: "a mapping",
}


def check_type(value: Any, wanted: Any, source: object) -> Any:
    """Checks that a value of JSON is of a type.

    Args:
        value: The value.
        wanted: Of `bool`, `int`, `float` (which an integer is as well), `str`, `None`,
            `Any`, `list[...]`, `dict[str, ...]`, `Literal[...]`, unions of them, and
            subclasses of `TypedDict`, which may hold other keys besides.
        source: The file it comes from, for the message.

    Returns:
        The value.

    Raises:
        ValueError: Names the source, the first place that is of another type, what is
            wanted there and what came.

    Example:

    ```python
    class Example(TypedDict):
        shape: list[int | None]

    check_type({"shape": [28, 28, 1]}, Example, "tfmeta.json")
    check_type({"shape": 3}, Example, "tfmeta.json")
    # ValueError: `shape` in tfmeta.json must be a list. Received: 3
    ```
    """
    for place, words, received in _problems(value, wanted, ""):
        name = f"`{place}` in {source}" if place else f"{source}"
        raise ValueError(f"{name} must be {words}. Received: {received}")
    return value


def shown(value: Any) -> str:
    """A value in a message: short, however large it is."""
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}"
    if isinstance(value, int) and not -_MOST < value < _MOST:
        return "a larger integer"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _problems(value: Any, wanted: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Place, what is wanted and what came, of all that is of another type."""
    if wanted is Any:
        return
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        yield from _of_union(value, parts, place)
    elif origin is typing.Literal:
        # `True == 1`, which are two values of JSON.
        if not any(type(value) is type(p) and value == p for p in parts):
            words = f"one of {', '.join(map(repr, parts))}"
            yield place, words, shown(value)
    elif not _is_plainly(value, wanted, origin):
        yield place, _in_words(wanted), shown(value)
    elif typing.is_typeddict(wanted):
        for key, hint in _hints(wanted).items():
            at = f"{place}.{key}" if place else key
            if key in value:
                yield from _problems(value[key], hint, at)
            elif key in wanted.__required_keys__:
                yield at, f"there, {_in_words(hint)}", "nothing"
    elif origin is list and parts[0] is not Any:
        for number, part in enumerate(value):
            yield from _problems(part, parts[0], f"{place}[{number}]")
    elif origin is dict:
        for key, part in value.items():
            at = shown(key)[1:-1]
            yield from _problems(part, parts[1], f"{place}.{at}" if place else at)


# Requests are checked by the same types again and again.
_hints = functools.cache(typing.get_type_hints)


def _of_union(
    value: Any, parts: tuple[Any, ...], place: str
) -> Iterator[tuple[str, str, str]]:
    tried = [list(_problems(value, part, place)) for part in parts]
    if all(tried):
        # What is wrong inside says more than that it is no null.
        inside = [problems for problems in tried if problems[0][0] != place]
        words = " or ".join(_in_words(part) for part in parts)
        yield from inside[0] if inside else [(place, words, shown(value))]


def _is_plainly(value: Any, wanted: Any, origin: Any) -> bool:
    """Whether a value is of a type, whatever is inside."""
    kind = types.NoneType if wanted is None else origin or wanted
    if typing.is_typeddict(kind):
        kind = dict
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return -_MOST < value < _MOST
    if type(value) is not kind:
        return False
    if isinstance(value, int) and kind is int:
        return -_MOST < value < _MOST
    return not isinstance(value, float) or math.isfinite(value)


def _in_words(wanted: Any) -> str:
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_in_words(part) for part in parts)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if wanted is Any:
        return "anything"
    if typing.is_typeddict(wanted):
        keys = [k for k in _hints(wanted) if k in wanted.__required_keys__]
        return f"a mapping with {', '.join(keys)}" if keys else "a mapping"
    kind = types.NoneType if wanted is None else origin or wanted
    return _WORDS[kind]
