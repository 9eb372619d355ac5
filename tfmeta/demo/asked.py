"""What the page is asked, checked before anything is computed."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfmeta.classifying.task import Task, number_labels
from tfmeta.datasets.reading.pictures import picture_kind
from tfmeta.printable import one_line

# Characters of a name; more have no room on the page.
MOST_CHARACTERS = 60
# Photographs of a class.
MOST_PHOTOGRAPHS = 20
# Of one photograph, by its head, as `tfmeta serve` has it.
_MOST_PIXELS = 25_000_000

Example = TypeVar("Example", Path, np.ndarray)


def check_names(names: Sequence[str | None]) -> list[str]:
    """The names of the classes, each once and on a line.

    Raises:
        ValueError: When a name is empty, too long, or there twice.
    """
    found: list[str] = []
    for number, given in enumerate(names, 1):
        name = one_line(unicodedata.normalize("NFC", (given or "").strip()))
        if not name:
            raise ValueError(f"Class {number} must have a name. Received: none")
        if len(name) > MOST_CHARACTERS:
            raise ValueError(
                f"The name of class {number} must have at most {MOST_CHARACTERS} "
                f"characters. Received: {len(name):,}"
            )
        if name in found:
            raise ValueError(
                "Every class must have a name of its own. Received: "
                f"{name!r} for class {found.index(name) + 1} and class {number}"
            )
        found.append(name)
    return found


def check_photographs(what: str, files: Sequence[Path]) -> list[Path]:
    """The photographs that were dropped somewhere.

    Args:
        what: Where that is.
        files: They.

    Raises:
        ValueError: When there are none or too many, or one is no picture or too large.
    """
    if not 1 <= len(files) <= MOST_PHOTOGRAPHS:
        raise ValueError(
            f"{what} must have 1 to {MOST_PHOTOGRAPHS} photographs. Received: "
            f"{len(files) or 'none'}"
        )
    with in_plain_names(files):
        for file in files:
            kind = picture_kind(file)
            if kind.height * kind.width > _MOST_PIXELS:
                raise ValueError(
                    f"{what} must have photographs of at most {_MOST_PIXELS:,} pixels. "
                    f"Received: {file.name!r}, {kind.width} x {kind.height}"
                )
    return list(files)


def as_task(support: Mapping[str, Sequence[Example]], query: Example) -> Task[Example]:
    """One query, and examples of each class by its name."""
    names = tuple(support)
    labels = [name for name, examples in support.items() for _ in examples]
    return Task(
        class_names=names,
        support=tuple(one for examples in support.values() for one in examples),
        support_labels=number_labels(labels, names),
        query=(query,),
        query_names=("query",),
    )


@contextlib.contextmanager
def in_plain_names(files: Sequence[Path]) -> Iterator[None]:
    """Lets errors say what a file was called, not where it was uploaded to.

    Raises:
        ValueError: For an error that is one, or of the disk.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        message = str(error)
        for file in files:
            message = message.replace(str(file), file.name)
        raise ValueError(message) from error
