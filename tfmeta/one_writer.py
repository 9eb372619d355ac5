"""One writer of a folder at a time, who checks that he still is before each write.

The owner holds a lock on a hidden file of the folder, which the system releases when
its process ends, also by a kill. A process that is stopped keeps it. Where a file
system has no locks, the last to come owns the folder: the file says who that is, and
the one before stops at his next write.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tfmeta.locks import LockTaken, lock_descriptor

LOCK_FILE = ".lock"

# How often one who waits looks again, in seconds.
_LOOK = 0.05
# A file that others may have written is read no further.
_MOST_BYTES = 1000


class FolderInUseError(OSError):
    """Another process writes the folder, or has taken it over."""


@dataclasses.dataclass
class _Owned:
    """A folder that this process owns.

    Attributes:
        folder: Its real path.
        descriptor: The lock file, open.
        content: What stands in it.
        times: How often it was taken and not given back.
        made: Folders that were made for it, the innermost first.
    """

    folder: Path
    descriptor: int
    content: bytes
    made: list[Path]
    times: int = 1

    def problem(self) -> str | None:
        """Why the folder is no longer this process's, `None` where it is."""
        path = self.folder / LOCK_FILE
        try:
            there = os.stat(path, follow_symlinks=False)
        except OSError:
            return f"no file {LOCK_FILE}"
        ours = os.fstat(self.descriptor)
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            return f"another file {LOCK_FILE}, of {_owner_of(path)}"
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        if os.read(self.descriptor, _MOST_BYTES) != self.content:
            return f"a file {LOCK_FILE} of {_owner_of(path)}"
        return None


_owned: dict[Path, _Owned] = {}


@contextlib.contextmanager
def only_writer(folder: str | os.PathLike[str], *, wait: float = 0.0) -> Iterator[None]:
    """Owns a folder; within the same process again, as often as one likes.

    Args:
        folder: The folder; made where it is not there, and removed again where it
            is empty in the end.
        wait: Seconds to wait for another owner.

    Raises:
        FolderInUseError: When another process owns it; names it.
        OSError: When nothing can be written there.

    Example:

    ```python
    with only_writer("runs/glyphs-seed0"):
        write_json(Path("runs/glyphs-seed0/history.json"), {})
    ```
    """
    path = Path(os.path.realpath(folder))
    held = _owned.get(path)
    if held is not None:
        check_owned(path)
        held.times += 1
    else:
        held = _owned[path] = _taken(path, Path(folder), wait)
    try:
        yield
    finally:
        held.times -= 1
        if not held.times:
            del _owned[path]
            _give_back(held)


def check_owned(path: Path) -> None:
    """Checks that a file may be written: nobody else has taken over its folder.

    Args:
        path: What is to be written. Where it lies in no folder that this process
            owns, there is nothing to check.

    Raises:
        FolderInUseError: When another process has taken it over, or its lock file is
            gone.
    """
    if not _owned:
        return
    real = Path(os.path.realpath(path))
    for folder in (real, *real.parents):
        held = _owned.get(folder)
        problem = None if held is None else held.problem()
        if problem is not None:
            raise FolderInUseError(
                f"{folder} must be written by one process at a time. Received: "
                f"{problem}, while process {os.getpid()} was writing; it stops, and "
                f"leaves {path.name} as it is"
            )


def _taken(path: Path, named: Path, wait: float) -> _Owned:
    """Takes a folder that this process does not own."""
    made = [p for p in (path, *path.parents) if not p.exists()]
    until = time.monotonic() + wait
    while True:
        path.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = _open(path / LOCK_FILE)
        except FileNotFoundError:
            continue  # Its owner has just removed the empty folder.
        held = _Owned(path, descriptor, b"", made)
        try:
            lock_descriptor(descriptor, wait=False)
            if _is_in_place(descriptor, path / LOCK_FILE):
                held.content = _sign(descriptor)
                return held
        except LockTaken as error:
            owner = _owner_of(path / LOCK_FILE)
            if time.monotonic() >= until:
                os.close(descriptor)
                raise FolderInUseError(
                    f"{named} must be written by one process at a time. Received: "
                    f"{owner} is writing it, or is stopped on the way; wait for it, "
                    "or end it"
                ) from error
            time.sleep(_LOOK)
        except BaseException:
            _remove(held)
            raise
        os.close(descriptor)


def _open(path: Path) -> int:
    # A link would let the lock be put on some other file, and written over.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o644)


def _is_in_place(descriptor: int, path: Path) -> bool:
    """Whether the file is still the folder's, and not one that was just removed."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _sign(descriptor: int) -> bytes:
    """Writes who owns the folder."""
    about = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "token": uuid.uuid4().hex,
    }
    content = json.dumps(about).encode() + b"\n"
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, content)
    return content


def _owner_of(path: Path) -> str:
    """Who has signed a lock file, in words."""
    try:
        with path.open("rb") as file:
            about = json.loads(file.read(_MOST_BYTES))
        process, host, since = (about[key] for key in ("process", "host", "since"))
        said = f"process {process:d} on {host}, since {since}"
    # Whatever stands there, it is for a message alone.
    except Exception:
        return "another process"
    return said if said.isprintable() and len(said) < 200 else "another process"


def _give_back(held: _Owned) -> None:
    """Ends owning a folder; the file of another who has taken it over stays."""
    if held.problem() is None:
        _remove(held)
    else:
        os.close(held.descriptor)


def _remove(held: _Owned) -> None:
    """Removes the lock file while it is locked, and what is empty without it."""
    with contextlib.suppress(OSError):
        (held.folder / LOCK_FILE).unlink()
    os.close(held.descriptor)
    with contextlib.suppress(OSError):
        for folder in held.made:
            folder.rmdir()
