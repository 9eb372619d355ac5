"""Files that are there whole or not at all, also after a crash or on a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfmeta.one_writer import FolderInUseError, check_owned

# When there is no room, libraries that write by themselves raise what they like.
_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EFBIG: "files may not become that large",
}

# How h5py says that it could not do something.
_OF_HDF5 = ("Can't ", "Can't\n", "Unable to ")


def flush(path: Path) -> None:
    """Waits until the content of a file, or the entries of a folder, are on disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no way to flush a folder.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(building: Path, target: Path) -> None:
    """Renames a finished file or folder to its final name, in the same folder.

    Whoever looks sees the old file or the new one, never a part; a crash leaves
    one of the two.

    Raises:
        FolderInUseError: When another process has taken over a folder that this one
            was writing.
    """
    flush(building)
    check_owned(target)
    os.replace(building, target)
    flush(target.parent)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Writes a file whole or not at all.

    Args:
        target: The file.

    Yields:
        A hidden name beside it, with the same suffix, to write to. It is put in place
        in the end, where something was written, and removed where that failed.

    Raises:
        OSError: When it cannot be written; names the file. What was there stays.
        FolderInUseError: As `put_in_place`.

    Example:

    ```python
    with writing(Path("run/learner.keras")) as building:
        learner.save(building)
    ```
    """
    building = target.with_name(f".tmp-{target.name}")
    with naming(target):
        check_owned(target)
        try:
            yield building
            if building.exists():
                put_in_place(building, target)
        except BaseException:
            remove(building)
            raise


def check_room(path: Path, size: int) -> None:
    """Checks that a file of a size can be written, by making one.

    For libraries that do not survive a disk that is full: HDF5 ends the process.

    Args:
        path: The file, which is not there; it is not there afterwards either.
        size: In bytes.

    Raises:
        OSError: When there is no room.
    """
    try:
        with path.open("wb", buffering=0) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                for start in range(0, size, 2**20):
                    file.write(bytes(min(2**20, size - start)))
    finally:
        remove(path)


def remove(path: Path) -> None:
    """Removes a file or a folder that failed to be written, if it can be."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(target: Path) -> Iterator[None]:
    """Whatever goes wrong in writing becomes one error that names what is written.

    Raises:
        OSError: For an `OSError`, and for a `RuntimeError`, as h5py raises it of a
            disk without room.
    """
    try:
        yield
    except (FolderInUseError, _NotWritten):
        raise
    except OSError as error:
        raise _NotWritten.of(target, error) from error
    except RuntimeError as error:
        # Others are of whoever makes what is written.
        if not str(error).startswith(_OF_HDF5):
            raise
        raise _NotWritten.of(target, error) from error


class _NotWritten(OSError):
    """A file that could not be written, by its name."""

    @classmethod
    def of(cls, target: Path, error: OSError | RuntimeError) -> _NotWritten:
        number = getattr(error, "errno", None)
        reason = _NO_ROOM.get(number or 0) or getattr(error, "strerror", None)
        if not reason:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
        advice = "; what was there before is kept" if target.exists() else ""
        made = cls(f"{target} could not be written: {reason}{advice}")
        made.errno = number
        return made


def check_writable(path: Path, *, new: bool = False) -> None:
    """Refuses a file that could not be written, before the work that it is to hold.

    Args:
        path: The file.
        new: Whether nothing may be there, which would be overwritten.

    Raises:
        FileExistsError: When something is there and `new` is True.
        IsADirectoryError: When it is a folder.
        FileNotFoundError: When its folder does not exist.
        PermissionError: When nothing can be written into that.
    """
    if new and os.path.lexists(path):
        raise FileExistsError(
            f"{path} must not exist, nothing is overwritten. Received: something is "
            "there"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} must be a file. Received: a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder of {path} must exist. Received: no folder {path.parent}"
        )
    _check_takes_files(path.parent, path)


def check_folder(path: Path, *, writable: bool = True) -> None:
    """Refuses a folder that could not be made where it is not there.

    Args:
        path: The folder.
        writable: Whether something is to be written into it.

    Raises:
        NotADirectoryError: When it, or what it is to be made in, is a file.
        PermissionError: When nothing can be written.
    """
    path = path.expanduser().absolute()
    above = next(folder for folder in (path, *path.parents) if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{above} must be a folder. Received: a file")
    if writable:
        _check_takes_files(above, path)


def _check_takes_files(folder: Path, wanted: Path) -> None:
    try:
        # Rights alone do not say it: of a disk that is full, or mounted to be read.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"{wanted} must be where files can be written. Received: {folder}, "
            f"{error.strerror}"
        ) from error
