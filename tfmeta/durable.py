"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import os
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
