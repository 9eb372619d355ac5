"""The ground of pictures in files: whether they are dark on light."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tfmeta.datasets.reading.ground import Ground, ground_of
from tfmeta.datasets.reading.pictures import picture_kind, read_picture


def ground_of_files(
    files: Iterable[Path], *, size: tuple[int, int] | None = None
) -> dict[Path, Ground]:
    """The ground of each picture; of what cannot be read there is none.

    Args:
        files: The files.
        size: Height and width that pictures are brought to; `None` for their own.
    """
    found: dict[Path, Ground] = {}
    for file in files:
        try:
            channels: Literal[1, 3] = 1 if picture_kind(file).is_grey else 3
            picture = read_picture(file, size=size, channels=channels)
        except (ValueError, OSError):
            continue
        found[file] = ground_of(picture)
    return found
