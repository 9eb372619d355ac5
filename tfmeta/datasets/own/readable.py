"""Files of one's own that cannot be read: all of them named, or left out on request."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tfmeta.datasets.own.array_files import ACCEPTED_ARRAY, read_array
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.text_files import ACCEPTED_TEXT, read_text_file
from tfmeta.datasets.reading.pictures import ACCEPTED_PICTURE, read_picture
from tfmeta.datasets.reading.unreadable import (
    UnreadableFile,
    find_unreadable,
    left_out,
    refuse_unreadable,
)


@contextlib.contextmanager
def naming_all_unreadable(files: LabelledFiles) -> Iterator[None]:
    """Reads files; where one cannot be read, all of those are named, not it alone.

    Raises:
        ValueError: When one of the files cannot be read.
    """
    try:
        yield
    except (UnreadableFile, OSError):
        # Only now is it worth to try them all.
        what, accepted, read = _kind_of(files)
        found = find_unreadable(files.files, read)
        refuse_unreadable(found, len(files.files), accepted, what=what)
        raise


def without_unreadable(files: LabelledFiles) -> LabelledFiles:
    """The files that can be read whole; `notes` says which cannot.

    Raises:
        ValueError: When a class has no other: which classes there are, and so what a
            model was trained on, must not hang on what can be read.
    """
    what, _, read = _kind_of(files)
    stamps = tuple((p, *_stamp(p)) for p in files.files)
    found = _unreadable(stamps, read)
    if not found:
        return files
    kept = [
        (file, label)
        for file, label in zip(files.files, files.labels, strict=True)
        if file not in found
    ]
    gone = set(files.labels) - {label for _, label in kept}
    if gone:
        raise ValueError(
            f"each class of {str(files.source)!r} must have a {what} that can be read. "
            f"Received: none in {', '.join(sorted(gone)[:5])}; remove such a class"
        )
    return dataclasses.replace(
        files,
        files=tuple(file for file, _ in kept),
        labels=tuple(label for _, label in kept),
        notes=(*files.notes, left_out(found, len(files.files), what=what)),
    )


def _kind_of(files: LabelledFiles) -> tuple[str, str, Callable[[Path], Any]]:
    """What a file is called, what it must be, and what reads it."""
    if files.kind == "pictures":
        return "picture", ACCEPTED_PICTURE, read_picture
    if files.kind == "texts":
        return "text", ACCEPTED_TEXT, read_text_file
    return "array", ACCEPTED_ARRAY, read_array


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _unreadable(
    stamps: tuple[tuple[Path, int, int], ...], read: Callable[[Path], Any]
) -> dict[Path, str]:
    """As `find_unreadable`, once for all splits of a data set."""
    return find_unreadable([path for path, *_ in stamps], read)
