"""The archives of Omniglot: what they must hold, read and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.reading.checked_archive import CheckedArchive, sha256_of

URL = "https://github.com/brendenlake/omniglot/raw/master/python/"
DRAWINGS_PER_CHARACTER = 20
SCAN = (105, 105)

Drawings = dict[str, list[bytes]]
"""The PNG files of each character, characters as `"Alphabet/characterNN"`."""

_MEMBER = re.compile(
    r"(?P<root>[^/]+)/(?P<alphabet>[^/]+)/character(?P<number>\d{2})/"
    r"(?P<file>(?P<label>\d{4})_(?P<drawer>\d{2})\.png)"
)
# All of Omniglot unpacks to 10 MB; nothing like this is ever needed.
_MAX_BYTES = 256 * 2**20


@dataclasses.dataclass(frozen=True)
class OmniglotArchive:
    """What one archive must hold.

    Args:
        file_name: Its name.
        characters: The number of characters, of 20 drawings each.
        official_sha256: The checksum that the authors' archive has.
        part: What TensorFlow Datasets calls its drawings.
    """

    file_name: str
    characters: int
    official_sha256: str
    part: str


ARCHIVES = (
    OmniglotArchive(
        "images_background.zip",
        964,
        "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        "train",
    ),
    OmniglotArchive(
        "images_evaluation.zip",
        659,
        "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        "test",
    ),
)


def read_drawings(
    folder: Path,
    expected: OmniglotArchive,
    labels: dict[str, str] | None = None,
    *,
    on_picture: Callable[[], None] | None = None,
) -> tuple[CheckedArchive, Drawings]:
    """Reads one archive, opens every picture and counts.

    Args:
        folder: Where the archive lies, under its official name.
        expected: What it must hold.
        labels: Filled with the character of each label number seen, and
            compared with what it holds already: the archives must agree.
        on_picture: Called whenever a picture was checked.

    Returns:
        The archive and its drawings, those of a character in the order in which
        TensorFlow Datasets has them: figures that were measured depend on it.

    Raises:
        ValueError: When the archive is unsafe, damaged, laid out in another
            way or not complete.
    """
    path = folder / expected.file_name
    labels = {} if labels is None else labels
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
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
        key = f"{match['alphabet']}_{int(match['number']) - 1}_{match['file']}"
        found[character][_tfds_place(expected.part, key)] = content
        if on_picture is not None:
            on_picture()
    _check_counts(path, expected, {c: len(files) for c, files in found.items()})
    drawings = {
        c: [files[place] for place in sorted(files)] for c, files in found.items()
    }
    content_found = (
        f"{len(found):,} characters, {sum(map(len, found.values())):,} pictures"
    )
    checked = CheckedArchive(
        path, content_found, sha256_of(path), expected.official_sha256
    )
    return checked, drawings


def _tfds_place(part: str, key: str) -> str:
    """What TensorFlow Datasets sorts a split's records by, as hexadecimal digits."""
    return hashlib.md5(f"{part}{key}".encode(), usedforsecurity=False).hexdigest()


def _check_counts(
    path: Path, expected: OmniglotArchive, counts: dict[str, int]
) -> None:
    each, total = DRAWINGS_PER_CHARACTER, sum(counts.values())
    wrong = next((c for c, n in counts.items() if n != each), None)
    if len(counts) != expected.characters or wrong is not None:
        detail = "" if wrong is None else f", {counts[wrong]} of {wrong!r}"
        raise ValueError(
            f"archive {path} must hold {expected.characters * each:,} pictures of "
            f"{expected.characters} characters, {each} of each. Received: "
            f"{total:,} pictures of {len(counts)} characters{detail}"
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
