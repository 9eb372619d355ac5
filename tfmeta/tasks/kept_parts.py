"""Arrays that take long to make, kept beside what they are for until that is done."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.durable import naming, remove, writing
from tfmeta.json_files import json_text
from tfmeta.one_writer import only_writer

_LOG = logging.getLogger(__name__)
_SUFFIX = ".npz"
# What a file that was cut short, or is none of ours, is met with.
_DAMAGED = (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile)


class KeptParts:
    """Arrays on disk, found by what they were made of.

    A part that was made of the same is read; of anything else it is made anew, so that
    nothing is taken over from another piece of work. Files are whole or not there.

    Args:
        folder: Where they are, which is there; `None` to keep none.
        basis: What all of them depend on: texts, and arrays.
    """

    def __init__(
        self, folder: Path | None, basis: Sequence[str | np.ndarray] = ()
    ) -> None:
        self.folder = folder
        digest = hashlib.blake2b(digest_size=16)
        for one in basis:
            if isinstance(one, str):
                digest.update(f"text {len(one)} {one}".encode("utf-8", "surrogatepass"))
                continue
            array = np.ascontiguousarray(one)
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
        self._basis = digest.hexdigest()

    def of(
        self, name: str, made_of: Any, make: Callable[[], Sequence[np.ndarray]]
    ) -> list[np.ndarray]:
        """A part: read, or made and kept.

        Args:
            name: Of the part, a word.
            made_of: What it depends on beside the basis, JSON.
            make: Makes its arrays.

        Raises:
            OSError: When it cannot be written.
        """
        if self.folder is None:
            return list(make())
        said = json_text([self._basis, name, made_of], name)
        digest = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
        file = self.folder / f"{name}-{digest}{_SUFFIX}"
        found = _read(file)
        if found is None:
            found = [np.asarray(part) for part in make()]
            with writing(file) as building:
                np.savez(building, *found)
        return found


def parts_folder(path: str | os.PathLike[str]) -> Path:
    """The hidden folder beside a path in which its parts are kept."""
    path = Path(path).absolute()
    return path.with_name(f".{path.name}.parts")


def number_of_parts(path: str | os.PathLike[str]) -> int:
    """How many parts of what is to be at a path are kept."""
    files = parts_folder(path).glob(f"*{_SUFFIX}")
    # One that is being written has a hidden name.
    return sum(not file.name.startswith(".") for file in files)


@contextlib.contextmanager
def parts_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Owns the folder of the parts of what is to be at a path.

    It goes when the work is done, or was refused; what is interrupted or killed, or
    finds no room on the disk, leaves it.

    Raises:
        FolderInUseError: When another process is at the same work.
        OSError: When it cannot be made.
    """
    folder = parts_folder(path)
    try:
        with contextlib.ExitStack() as held:
            with naming(Path(path)):
                held.enter_context(only_writer(folder))
            try:
                yield folder
            except (ValueError, TypeError):
                _clear(folder)
                raise
            _clear(folder)
    finally:
        # Only where it is empty.
        with contextlib.suppress(OSError):
            folder.rmdir()


def _clear(folder: Path) -> None:
    for file in folder.glob(f"*{_SUFFIX}"):
        remove(file)


def _read(file: Path) -> list[np.ndarray] | None:
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as found:
            return [found[f"arr_{number}"] for number in range(len(found.files))]
    except _DAMAGED as error:
        _LOG.warning("%s is damaged (%s); it is made again", file, error)
        remove(file)
        return None
