"""Files in a folder or in an archive, read alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from tfmeta.datasets.imagenet.picture_source import file_digest, giving
from tfmeta.datasets.reading.archives import read_archive

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")

# miniImageNet with its pictures as large as ImageNet has them takes 7 GB; all
# that is read is held for one member at a time.
_MAX_BYTES = 256 * 2**30


class StoredFiles(Protocol):
    """Files with names, relative and with `/` between folders.

    Attributes:
        path: The folder or the archive.
        names: The names, sorted, without hidden files.
        digest: Digest of the files.
        lists: The contents of small CSV files, by name.
    """

    path: Path
    names: tuple[str, ...]
    digest: str
    lists: dict[str, bytes]

    def read(
        self, wanted: Collection[str]
    ) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """The wanted files, in an order that is always the same."""


class FolderFiles:
    """The files of a folder.

    Args:
        path: The folder. Links in it are followed.
        deep: Whether the files of all folders in it belong to it too.
    """

    def __init__(self, path: Path, *, deep: bool = True) -> None:
        self.path = path
        digest = hashlib.sha256()
        names, seen = [], set()
        for folder, folders, files in os.walk(path, followlinks=True):
            here = os.stat(folder)
            if (here.st_dev, here.st_ino) in seen:  # a link back up
                folders.clear()
                continue
            seen.add((here.st_dev, here.st_ino))
            if not deep:
                folders.clear()
            for file in files:
                full = Path(folder, file)
                name = full.relative_to(path).as_posix()
                if not _hidden(name) and full.is_file():
                    names.append((name, full.stat().st_size))
        for name, size in sorted(names):
            digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
        self.names = tuple(name for name, _ in sorted(names))
        self.digest = digest.hexdigest()
        self.lists = {
            name: (path / name).read_bytes() for name in self.names if _is_list(name)
        }

    def read(
        self, wanted: Collection[str]
    ) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """The wanted files, sorted by name."""
        for name in self.names:
            if name in wanted:
                yield name, (self.path / name).read_bytes


class ArchiveFiles:
    """The files of a zip or tar archive; nothing is unpacked to disk.

    Args:
        path: The archive. It is read through once to learn the names, and once
            for each `read`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no archive, damaged or unsafe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lists = {}
        names = []
        for name, content in read_archive(path, max_bytes=_MAX_BYTES):
            if not _hidden(name):
                names.append(name)
                if _is_list(name):
                    self.lists[name] = content
        self.names = tuple(sorted(names))
        self.digest = file_digest([path])

    def read(
        self, wanted: Collection[str]
    ) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """The wanted files, in the order of the archive."""
        for name, content in read_archive(self.path, max_bytes=_MAX_BYTES):
            if name in wanted:
                yield name, giving(content)


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _is_list(name: str) -> bool:
    return PurePosixPath(name).name in ("train.csv", "val.csv", "test.csv")
