"""What the names of picture files say about their class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

PICTURE_ENDINGS = (".jpeg", ".jpg", ".png")

_WNID = re.compile(r"n\d{8}")
_ILSVRC = re.compile(r"(?P<wnid>n\d{8})_(?P<number>\d+)\.jpe?g", re.IGNORECASE)
_RAVI = re.compile(r"(?P<wnid>n\d{8})(?P<number>\d{8})\.jpe?g", re.IGNORECASE)


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its ending."""
    return name.lower().endswith(PICTURE_ENDINGS)


def class_of(name: str) -> str | None:
    """The WordNet id in a file's name, or `None` where there is none.

    Args:
        name: Such as `"train/n01532829/n01532829_28.JPEG"`, where the nearest
            folder that is an id counts, or `"images/n0153282900000005.jpg"`.
    """
    *folders, base = PurePosixPath(name).parts
    for folder in reversed(folders):
        if _WNID.fullmatch(folder):
            return folder
    match = _RAVI.fullmatch(base) or _ILSVRC.fullmatch(base)
    return match["wnid"] if match else None


def is_ilsvrc(name: str) -> bool:
    """Whether a file is named as in ILSVRC-2012: `n01532829_28.JPEG`."""
    match = _ILSVRC.fullmatch(PurePosixPath(name).name)
    return match is not None and match["wnid"] == class_of(name)


def numbered(names: Sequence[str], listed: str) -> str | None:
    """The ILSVRC-2012 file that a name in the lists of Ravi and Larochelle means.

    Their `n0153282900000005.jpg` is the fifth file of `n01532829` in the order
    of the numbers in the files' names (`_28` before `_145`, which differs from
    the order of the alphabet). The authors never published the rule. It is that
    of the public ports (github.com/yaoyao-liu/mini-imagenet-tools for one), and
    the 60,000 original names that are published at
    github.com/bracca95/imagenet2mini-labels can be in no other order: by number
    they leave room for all pictures between two listed ones, by the alphabet
    they do not in any of the 100 classes.

    Args:
        names: All files of the class, sorted `by_number`.
        listed: The name in the list.

    Returns:
        The file, or `None` where there are not as many.
    """
    match = _RAVI.fullmatch(listed)
    if match is None or not 1 <= int(match["number"]) <= len(names):
        return None
    return names[int(match["number"]) - 1]


def by_number(name: str) -> list[str | int]:
    """A key to sort names by, in which `_28` comes before `_145`."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]
