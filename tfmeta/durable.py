"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


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
    """Renames a finished file to its final name, in the same folder.

    Whoever looks sees the old file or the new one, never a part; a crash leaves
    one of the two.
    """
    flush(building)
    os.replace(building, target)
    flush(target.parent)


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
