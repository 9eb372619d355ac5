"""The four archives of Omniglot: what they must hold, and a check of each."""

from __future__ import annotations

import collections
import io
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tfmeta.datasets.omniglot.pack import PICTURES_PER_CHARACTER
from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.tfds_archives import CheckedArchive, sha256_of

URL = "https://github.com/brendenlake/omniglot/raw/master/python/"

# File name: number of characters, number of pictures.
ARCHIVES = {
    "images_background.zip": (964, 19_280),
    "images_evaluation.zip": (659, 13_180),
    "images_background_small1.zip": (136, 2_720),
    "images_background_small2.zip": (156, 3_120),
}

SCAN = (105, 105)
_MEMBER = re.compile(
    r"(?P<root>[^/]+)/(?P<alphabet>[^/]+)/character(?P<number>\d{2})/"
    r"(?P<label>\d{4})_(?P<drawer>\d{2})\.png"
)
# All of Omniglot unpacks to 10 MB; nothing like this is ever needed.
_MAX_BYTES = 256 * 2**20


def check_archive(
    path: Path,
    official_sha256: str,
    labels: dict[str, str] | None = None,
    *,
    on_picture: Callable[[], None] | None = None,
) -> CheckedArchive:
    """Opens every picture of one Omniglot archive and counts.

    Args:
        path: The archive, under its official name.
        official_sha256: The checksum that the authors' archive has.
        labels: Filled with the character of each label number seen, and
            compared with what it holds already: the archives must agree.
        on_picture: Called whenever a picture was checked.

    Returns:
        The archive.

    Raises:
        ValueError: When the archive is unsafe, damaged, laid out in another
            way or not complete.
    """
    labels = {} if labels is None else labels
    counts: collections.Counter[str] = collections.Counter()
    for name, content in read_archive(path, max_bytes=_MAX_BYTES):
        match = _MEMBER.fullmatch(name)
        if match is None or match["root"] != path.stem:
            raise ValueError(
                f"archive {path}: members must be named "
                f"'{path.stem}/<alphabet>/character<NN>/<NNNN>_<NN>.png'. "
                f"Received: {name!r}"
            )
        open_scan(path, name, content)
        character = f"{match['alphabet']}/character{match['number']}"
        if labels.setdefault(match["label"], character) != character:
            raise ValueError(
                f"archive {path}: label {match['label']} must belong to one "
                f"character. Received: {labels[match['label']]!r} and {character!r}"
            )
        counts[character] += 1
        if on_picture is not None:
            on_picture()
    characters, pictures = ARCHIVES[path.name]
    each = PICTURES_PER_CHARACTER
    wrong = next((c for c, n in counts.items() if n != each), None)
    if len(counts) != characters or counts.total() != pictures or wrong is not None:
        detail = "" if wrong is None else f", {counts[wrong]} of {wrong!r}"
        raise ValueError(
            f"archive {path} must hold {pictures:,} pictures of {characters} "
            f"characters, {each} of each. Received: {counts.total():,} pictures of "
            f"{len(counts)} characters{detail}"
        )
    found = f"{characters:,} characters, {pictures:,} pictures"
    return CheckedArchive(
        path, found, sha256_of(path), URL + path.name, official_sha256
    )


def open_scan(path: Path, name: str, content: bytes) -> Image.Image:
    """Decodes one picture of an archive.

    Args:
        path: The archive.
        name: Name of the member, for messages.
        content: What the member holds.

    Raises:
        ValueError: When it is no PNG of 105x105 pixels, or a damaged one.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            size = picture.size
            if size == SCAN:  # decode only what has the right, small size
                picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"archive {path}: member {name!r} must be a readable PNG. Received: {error}"
        ) from error
    if size != SCAN:
        raise ValueError(
            f"archive {path}: member {name!r} must be a picture of "
            f"{SCAN[0]}x{SCAN[1]} pixels. Received: {size[0]}x{size[1]}"
        )
    return picture
