"""Numbered version folders that appear whole or not at all.

Model servers poll the folder of a model and load whatever integer they find, so
a version must never be seen half-written. Needs no TensorFlow.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tfmeta.durable import flush, naming, put_in_place, remove
from tfmeta.locks import locked_file

_BUILDING = re.compile(r"\.tmp-[0-9]+")
_LOCK = ".lock"


def write_version(
    path: Path, version: int | None, write: Callable[[Path], None]
) -> Path:
    """Writes `path/<version>`, by way of a hidden folder and one rename.

    The hidden folder `path/.tmp-<version>` is no integer, so servers ignore it.
    What a killed writer left there is removed by the next one. A lock on
    `path/.lock` makes two writers wait for each other, where the system has
    such locks.

    Args:
        path: Folder of all versions; made when absent.
        version: Number from 1, or `None` for one above the highest there is.
        write: Called with an empty folder to fill. When it raises, nothing
            stays behind.

    Returns:
        `path/<version>`.

    Raises:
        FileExistsError: When the version exists; it is left as it is.
        ValueError: When `version` is below 1.
        TypeError: When `version` is no integer.
        OSError: When the disk is full; names the version.

    Example:

    ```python
    write_version(Path("models/glyphs"), None, lambda folder: fill(folder))
    # models/glyphs/1
    ```
    """
    check_version(version)
    path.mkdir(parents=True, exist_ok=True)
    # Where a network's file system has no locks, it is up to the caller to write one
    # version at a time.
    with locked_file(path / _LOCK):
        for entry in path.iterdir():
            if _BUILDING.fullmatch(entry.name):
                shutil.rmtree(entry)
        existing = list_versions(path)
        if version is None:
            version = max(existing, default=0) + 1
        target = path / str(version)
        if version in existing or os.path.lexists(target):
            raise FileExistsError(
                f"{target} exists, and no version is ever overwritten: servers may "
                "have loaded it. Leave `version` out to write the next one. "
                f"Received: version={version}"
            )
        building = path / f".tmp-{version}"
        with naming(target):
            try:
                building.mkdir()
                write(building)
                _flush_tree(building)
                put_in_place(building, target)
            except BaseException:
                remove(building)
                raise
    return target


def list_versions(path: Path) -> list[int]:
    """Numbers of the versions in `path`, ascending; none when it is absent."""
    if not path.is_dir():
        return []
    names = [entry.name for entry in path.iterdir()]
    return sorted(int(name) for name in names if re.fullmatch("[0-9]+", name))


def check_version(version: int | None) -> None:
    """Checks that `version` is `None` or an integer from 1.

    Raises:
        TypeError: When it is no integer.
        ValueError: When it is below 1.
    """
    if version is None:
        return
    if not isinstance(version, int) or isinstance(version, bool):
        raise TypeError(
            f"`version` must be an integer or None. Received: version={version!r}"
        )
    if version < 1:
        raise ValueError(f"`version` must be at least 1. Received: version={version}")


def _flush_tree(folder: Path) -> None:
    """Waits until everything below `folder` has reached the disk."""
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            flush(Path(root, name))
        flush(Path(root))
