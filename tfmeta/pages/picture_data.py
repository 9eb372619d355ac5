"""Small pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tfmeta.datasets.reading.pictures import UnreadablePicture
from tfmeta.datasets.reading.thumbnails import read_thumbnail
from tfmeta.pages.markup import Element, element

# A picture with fewer pixels than it is shown with keeps its own.
_FEW = 64
_QUALITY = 80


class PagePictures:
    """Pictures of files for one page, which stays small.

    Args:
        files: The files.
        most_bytes: How much all of them may take; then no more are given.
    """

    def __init__(self, files: Sequence[Path], *, most_bytes: int = 4_000_000) -> None:
        self._files = files
        self._left = most_bytes
        self.left_out = 0

    def picture(self, row: int, *, pixels: int, description: str) -> Element | None:
        """A picture of a file.

        Args:
            row: Number of the file.
            pixels: Its longer side at most.
            description: What is said of it where it cannot be seen.

        Returns:
            The element; `None` where the page is full, or the file cannot be read
            any more.
        """
        if self._left <= 0:
            self.left_out += 1
            return None
        try:
            small = Image.fromarray(read_thumbnail(self._files[row], pixels=pixels))
        except (UnreadablePicture, OSError):
            return None
        data = _data(small)
        self._left -= len(data)
        return element(
            "img",
            src=data,
            alt=description,
            width=small.width,
            height=small.height,
            class_="few" if max(small.size) < _FEW else None,
        )


def _data(picture: Image.Image) -> str:
    """The picture as an address: JPEG, or PNG where that is smaller."""
    found = []
    for kind, options in (("jpeg", {"quality": _QUALITY}), ("png", {})):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        found.append((len(file.getvalue()), kind, file.getvalue()))
    _, kind, content = min(found)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
