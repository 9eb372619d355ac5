"""A new folder: there whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from tfmeta.durable import flush, naming, put_in_place
from tfmeta.locks import LockTaken, lock_descriptor


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Makes a folder under a hidden name, and puts it in place when it is complete.

    Every file is synced, then the folder, then its new name, so that no loss of power
    leaves a part of it. What a killed process has left under hidden names is removed
    when the same folder is made again.

    Args:
        path: The folder, which is not there.

    Yields:
        Where to write.

    Raises:
        FileExistsError: When something is there.
        OSError: When it cannot be written.
    """
    if os.path.lexists(path):
        raise _exists(path)
    target = path.absolute()
    try:
        with naming(path):
            _make_parents(target.parent)
            _remove_leftovers(target)
            with _building(target) as building:
                yield building
                for file in building.iterdir():
                    flush(file)
                put_in_place(building, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # somebody was faster
            raise _exists(path) from error
        raise


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(
        f"`path` must be a folder that is not there. Received: {path}"
    )


def _make_parents(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        flush(one.parent)


@contextlib.contextmanager
def _building(path: Path) -> Iterator[Path]:
    """A hidden folder beside, locked as long as somebody builds in it."""
    while True:
        building = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        building.mkdir()
        with contextlib.ExitStack() as held:
            held.callback(shutil.rmtree, building, ignore_errors=True)
            # Until it is locked, it may be taken for what somebody has left.
            try:
                held.enter_context(_locked(building))
            except (LockTaken, FileNotFoundError):
                continue
            if building.exists():
                yield building
                return


def _remove_leftovers(path: Path) -> None:
    begin, end = f".{path.name}.", ".tmp"
    for left in path.parent.iterdir():
        token = left.name[len(begin) : -len(end)]
        if left.name != f"{begin}{token}{end}" or len(token) != 32:
            continue
        # Its lock is taken as long as its process builds.
        with contextlib.suppress(LockTaken, OSError), _locked(left) as alone:
            if alone:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    if os.name == "nt":  # where folders are not opened
        yield False
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    descriptor = os.open(folder, flags)
    try:
        yield lock_descriptor(descriptor, wait=False)
    finally:
        os.close(descriptor)
