"""Locks on files, which the system releases when their process ends, however it does.

On Windows, and on file systems without such locks (some of networks), there are none:
who has to know asks whether one was got.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class LockTaken(OSError):
    """Another process, or another lock of this one, has it."""


def lock_descriptor(descriptor: int, *, wait: bool) -> bool:
    """Locks an open file until it is closed.

    Args:
        descriptor: Of a file that is open for writing.
        wait: Whether to wait for another that has it.

    Returns:
        Whether there is a lock now; False where the system has none.

    Raises:
        LockTaken: When another has it and `wait` is False.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _TAKEN and not wait:
            raise LockTaken(error.errno, "the lock is taken") from error
        return False
    return True


@contextlib.contextmanager
def locked_file(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds the lock of a file, which is made where it is not there and stays.

    Args:
        path: The file.
        wait: As of `lock_descriptor`.

    Yields:
        As `lock_descriptor`.

    Raises:
        LockTaken: As `lock_descriptor`.
        OSError: When the file cannot be opened.
    """
    with path.open("ab") as file:
        yield lock_descriptor(file.fileno(), wait=wait)
