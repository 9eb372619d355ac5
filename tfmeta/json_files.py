"""JSON files that are JSON: written whole or not at all, with finite numbers alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmeta.durable import writing
from tfmeta.json_types import check_type

# No file of ours comes near either; Python itself gives up at some thousand levels,
# wherever it happens to look at such a value.
_MOST_LEVELS = 100
_MOST_BYTES = 2**30


def json_text(value: Any, source: object, *, indent: int | None = None) -> str:
    """A value as JSON, which has no NaN and no infinity.

    Python would write them all the same, as words that other readers refuse. Bytes of
    file names that are no UTF-8, which come as lone surrogates, become escapes.

    Args:
        value: Plain values.
        source: The file it is for, or what else a message is to call it.
        indent: As for `json.dumps`.

    Raises:
        ValueError: When a number is not finite; names the source and the place.
        TypeError: When JSON does not hold a value; names the source.

    Example:

    ```python
    json_text({"loss": [0.5]}, "history.json")  # '{"loss": [0.5]}'
    json_text({"loss": [float("nan")]}, "history.json")  # ValueError: ... loss[0]
    ```
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        return re.sub("[\ud800-\udfff]", lambda one: f"\\u{ord(one[0]):04x}", text)
    except ValueError as error:
        found = _first_not_finite(value, "")
        if found is None:
            raise
        place, number = found
        raise ValueError(
            f"{source} must hold finite numbers alone, as JSON does. Received: "
            f"{number} at {place or 'its top'}"
        ) from error
    except TypeError as error:
        raise TypeError(
            f"{source} must hold what JSON does: text, finite numbers, booleans, None, "
            f"lists and mappings. Received: {error}"
        ) from error


def parse_json(text: str | bytes, source: object) -> Any:
    """The value of a JSON text.

    Args:
        text: The text.
        source: Where it comes from, for the message.

    Raises:
        ValueError: When it is not valid JSON, which numbers that are not finite
            are not, is nested deeper than any file of this package, or holds integers
            of more than 64 bits; names the source.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, parse_int=_of_64_bits
        )
        _check_levels(value)
        return value
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise ValueError(
            f"{source} must be JSON. Received: text that does not parse ({reason})"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Writes JSON under a temporary name, then renames: whole or not at all.

    Raises:
        ValueError, TypeError: As `json_text`; what was there before stays.
        OSError: As `tfmeta.durable.writing`.
    """
    text = json_text(value, path, indent=2)
    with writing(path) as building:
        building.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, wanted: Any = Any) -> Any:
    """Reads JSON.

    Args:
        path: The file.
        wanted: What it must hold, as of `check_type`.

    Raises:
        FileNotFoundError: When there is no such file.
        OSError: When it cannot be read; names the file.
        ValueError: When it is not valid JSON, or holds something else; names the file.
    """
    try:
        value = parse_json(_read_bounded(path), path)
    except ValueError as error:
        cause = error.__cause__ or error
        reason = "nested too deep" if isinstance(cause, RecursionError) else cause
        raise ValueError(
            f"{path} must be a JSON file. Received: one that does not parse "
            f"({reason}). It was cut short or edited: put an intact "
            "copy in its place"
        ) from error
    return check_type(value, wanted, path)


def _read_bounded(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES:,} bytes")
    return content.decode("utf-8")


def null_where_not_finite(value: Any) -> Any:
    """The value with `None` in place of numbers that are not finite.

    For statistics that may have no value, such as a recall without queries, or a
    validation figure of answers that were no numbers.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: null_where_not_finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [null_where_not_finite(part) for part in value]
    return value


def _first_not_finite(value: Any, place: str) -> tuple[str, float] | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else (place, value)
    parts: list[tuple[Any, str]] = []
    if isinstance(value, Mapping):
        dot = "." if place else ""
        for key, part in value.items():
            parts += [(key, f"{place}{dot}{key}"), (part, f"{place}{dot}{key}")]
    elif isinstance(value, list | tuple):
        parts = [(part, f"{place}[{i}]") for i, part in enumerate(value)]
    return next(filter(None, (_first_not_finite(p, at) for p, at in parts)), None)


def _check_levels(value: Any) -> None:
    """Raises `RecursionError` for a value that is nested too deep."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        parts: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                parts += part.values()
            elif isinstance(part, list):
                parts += part
        if not parts:
            return
        level = parts
    raise RecursionError


def _refuse(word: str) -> float:
    raise ValueError(f"{word}, which is no number in JSON")


def _of_64_bits(word: str) -> int:
    # Python counts on, and fails where such a number meets a float or an array.
    if len(word) > 20 or not -(2**63) <= int(word) < 2**64:
        raise ValueError(f"{word[:30]}..., which is beyond integers of 64 bits")
    return int(word)


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word}, which is beyond the numbers of float64")
    return number
