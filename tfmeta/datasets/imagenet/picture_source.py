"""Pictures of a data set, whatever form they are held in."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tfmeta.datasets.imagenet.catalogue import Catalogue
from tfmeta.datasets.reading.pictures import PictureKind, picture_kind, read_picture

SIZE = (84, 84)
SHAPE = (*SIZE, 3)
_FILTER = "Pillow's BILINEAR filter"

Stored = bytes | np.ndarray
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture, not yet read.

    Args:
        class_name: Its class.
        rank: Its place among the pictures of its class, from 0.
        name: Its name, which no other picture of the data set has.
        source: Where it comes from.
        load: Gives the content of a picture file, or a uint8 array of shape
            `(84, 84, 3)`, red, green and blue.
    """

    class_name: str
    rank: int
    name: str
    source: Path
    load: Callable[[], Stored]

    def pixels(self) -> np.ndarray:
        """The picture as a uint8 array of shape `(84, 84, 3)`.

        Raises:
            ValueError: When it is no picture, or a damaged one.
        """
        stored = self.load()
        if isinstance(stored, np.ndarray):
            return stored
        try:
            return read_picture(stored, size=SIZE, channels=3)
        except ValueError as error:
            raise self._unreadable(error) from error

    def kind(self) -> PictureKind:
        """How the picture is stored.

        Raises:
            ValueError: When it is no picture.
        """
        stored = self.load()
        if isinstance(stored, np.ndarray):
            return PictureKind(*SIZE, "RGB")
        try:
            return picture_kind(stored)
        except ValueError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: ValueError) -> ValueError:
        return ValueError(
            f"picture {self.name!r} of {self.source} must be readable. Received: "
            + str(error).rpartition("Received: ")[2]
        )


class PictureSource(Protocol):
    """A copy of a data set in one of the forms that people hold.

    Attributes:
        path: The file or folder.
        catalogue: What it should hold.
        form: One line on how the pictures are stored.
        digest: Digest of what is read.
        sizes: The number of pictures of each class that was found, those that
            the catalogue does not have among them.
        notes: What the user should know, one sentence each.
    """

    path: Path
    catalogue: Catalogue
    form: str
    digest: str
    sizes: dict[str, int]
    notes: tuple[str, ...]

    def pictures(self, split: str) -> Iterator[Picture]:
        """The pictures of one split, in an order that is always the same."""


def describe_form(first: Picture) -> str:
    """One line on how picture files become 84x84, from the first of them."""
    kind = first.kind()
    height, width = kind.height, kind.width
    if (height, width) == SIZE:
        return "from picture files of 84x84"
    if height <= SIZE[0] and width <= SIZE[1]:
        return f"enlarged from {width}x{height} to 84x84 by {_FILTER}"
    return f"resized to 84x84 by {_FILTER}, antialiased and without cropping"


def giving(value: _T) -> Callable[[], _T]:
    """A function that gives what is there already."""
    return lambda: value


def file_digest(paths: Iterable[Path]) -> str:
    """The SHA-256 of the contents of files, one behind the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
