"""What SQLite's errors mean, said in those that the rest of the package raises."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tfmeta.one_writer import FolderInUseError

# Of sqlite3.h; the module of Python 3.10 names none of them.
_BUSY, _LOCKED, _NO_MEMORY, _READONLY, _IO, _FULL = 5, 6, 7, 8, 10, 13
_CANNOT_OPEN, _PROTOCOL = 14, 15
# The file was moved or removed while it was open.
_MOVED = 4
# By the words of an error, where Python does not tell its number.
_BY_WORDS = {
    "locked": _BUSY,
    "readonly": _READONLY,
    "read-only": _READONLY,
    "disk I/O": _IO,
    "is full": _FULL,
    "unable to open": _CANNOT_OPEN,
}
# Less room than SQLite needs for the index of its log.
_NO_ROOM = 64 * 1024

NOT_MADE = "; the change was not made"


class DamagedError(ValueError):
    """Rows that no file of its kind has."""


@contextlib.contextmanager
def naming_errors(path: Path, what: str, after: str = "") -> Iterator[None]:
    """Turns errors of SQLite into those of Python that name the file.

    Args:
        path: The file.
        what: What such a file holds, in words that follow "a".
        after: What to say of a change that could not be made.

    Raises:
        FolderInUseError: When another process is writing.
        OSError: When the disk is full, or the file cannot be read or written.
        ValueError: When the file is damaged.
    """
    try:
        yield
    except DamagedError as error:
        raise damaged(path, what, error) from error
    except sqlite3.Error as error:
        raise _named(path, what, error, after) from error


def damaged(path: Path, what: str, problem: object) -> ValueError:
    """The error of a file that is not of its kind, or no longer."""
    return ValueError(
        f"{path} must be the whole file of a {what}, as tfmeta wrote it. Received: "
        f"{problem}"
    )


def _named(path: Path, what: str, error: sqlite3.Error, after: str) -> Exception:
    number, further = _numbers_of(error)
    if number in (_BUSY, _LOCKED, _PROTOCOL):
        return in_use(path, after)
    if number == _NO_MEMORY:
        return MemoryError(f"{path}: no memory is left{after}")
    if number == _FULL or (number in (_IO, _CANNOT_OPEN) and _is_full(path)):
        return OSError(
            errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}{after}", os.fspath(path)
        )
    if number == _READONLY and further == _MOVED:
        return OSError(
            errno.ESTALE, f"the {what} was moved or removed{after}", os.fspath(path)
        )
    if number == _READONLY:
        return read_only(path, what, after)
    if number == _CANNOT_OPEN:
        return OSError(
            errno.EACCES,
            "the file, or the log that SQLite keeps beside it, cannot be opened"
            f"{after}",
            os.fspath(path),
        )
    if number == _IO:
        name = getattr(error, "sqlite_errorname", "SQLITE_IOERR")
        return OSError(errno.EIO, f"{error} ({name}){after}", os.fspath(path))
    # A type or a size that no such file has, text that is no UTF-8, rules that are
    # broken: the file was not written by this module.
    return damaged(path, what, error)


def read_only(path: Path, what: str, after: str = NOT_MADE) -> OSError:
    """The error of a change where nothing can be written."""
    return OSError(
        errno.EROFS, f"the {what} can only be read here{after}", os.fspath(path)
    )


def in_use(path: Path, after: str = NOT_MADE) -> FolderInUseError:
    """The error of a file that others write for longer than is waited."""
    return FolderInUseError(
        f"{path} must be written by one process at a time. Received: another that "
        f"has been using it for long{after or '; try again'}"
    )


def _numbers_of(error: sqlite3.Error) -> tuple[int, int]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF, code >> 8
    words = str(error)
    return next((number for said, number in _BY_WORDS.items() if said in words), 0), 0


def _is_full(path: Path) -> bool:
    # SQLite says only of its own writes that the disk was full.
    try:
        room = os.statvfs(path.parent)
    except (AttributeError, OSError):
        return False
    return room.f_bavail * room.f_frsize < _NO_ROOM
