"""JSON files that are JSON: written whole or not at all, with finite numbers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmeta.durable import put_in_place


def json_text(value: Any, source: object, *, indent: int | None = None) -> str:
    """A value as JSON, which has no NaN and no infinity.

    Python would write them all the same, as words that other readers refuse.

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
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
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
            are not; names the source.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise ValueError(
            f"{source} must be JSON. Received: text that does not parse ({reason})"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Writes JSON under a temporary name, then renames: whole or not at all.

    Raises:
        ValueError, TypeError: As `json_text`; what was there before stays.
    """
    text = json_text(value, path, indent=2)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text + "\n", encoding="utf-8")
    put_in_place(temporary, path)


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not valid JSON; names the file.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"), path)
    except ValueError as error:
        raise ValueError(
            f"{path} must be a JSON file. Received: one that does not parse "
            f"({error.__cause__ or error}). It was cut short or edited: put an intact "
            "copy in its place"
        ) from error


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


def _refuse(word: str) -> float:
    raise ValueError(f"{word}, which is no number in JSON")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word}, which is beyond the numbers of float64")
    return number
