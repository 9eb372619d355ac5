"""Names of classes: one text for each class, however it was typed."""

from __future__ import annotations

import unicodedata
from typing import Any

from tfmeta.printable import short_name

MOST_CHARACTERS = 1000

# Of a name in a sentence.
_SHORT = 60


def class_name(argument: str, name: Any) -> str:
    """A name as it is kept: in the composed form of Unicode (NFC).

    Keyboards and file systems write an accent as a part of its letter or after it;
    both are one name. Control characters stay; who prints a name escapes them.

    Args:
        argument: Which argument it is, for errors.
        name: What came.

    Raises:
        TypeError: When it is no text.
        ValueError: When it is blank, too long, no Unicode (a lone surrogate), or holds
            NUL.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"`{argument}` must be a name (str). Received: a {type(name).__name__}"
        )
    if not name.strip():
        raise ValueError(
            f"`{argument}` must be a name that is not blank. Received: {quoted(name)}"
        )
    if "\0" in name:
        raise ValueError(
            f"`{argument}` must be a name without NUL. Received: {quoted(name)}"
        )
    # Before it is composed, which takes time for what is long.
    if len(name) > 4 * MOST_CHARACTERS:
        raise _too_long(argument, name)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"`{argument}` must be a name in Unicode, without bytes of another "
            f"encoding. Received: {quoted(name)}"
        ) from error
    composed = unicodedata.normalize("NFC", name)
    if len(composed) > MOST_CHARACTERS:
        raise _too_long(argument, name)
    return composed


def quoted(name: str) -> str:
    """A name in a sentence: in quotes, not too long, escaped where it is not seen."""
    return f"'{short_name(name, _SHORT)}'"


def _too_long(argument: str, name: str) -> ValueError:
    return ValueError(
        f"`{argument}` must be a name of at most {MOST_CHARACTERS:,} characters. "
        f"Received: {len(name):,}"
    )
