"""Omniglot as tables on disk: its scans, and the smaller pictures made from them."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.import_report import OnProgress
from tfmeta.datasets.omniglot.archives import DRAWINGS_PER_CHARACTER, SCAN, Drawings
from tfmeta.datasets.omniglot.characters import all_characters, alphabet_of
from tfmeta.datasets.storage.layout import ENCODED_PICTURES, TableLayout
from tfmeta.datasets.storage.picture_files import decode_picture_file
from tfmeta.datasets.storage.table_folder import open_table, write_table

SIZE = 28
SCAN_SIZE = SCAN[0]


def size_path(data_dir: Path, size: int = SIZE) -> Path:
    """Where the table of pictures of one size lies; of 105, the scans themselves."""
    return table_path(data_dir, f"omniglot_{size}x{size}")


def write_scans(
    drawings: Drawings, data_dir: Path, *, on_progress: OnProgress | None = None
) -> None:
    """Writes the table of the scans, ink 255 on 0, each as a PNG file.

    Args:
        drawings: Of all characters, dark ink on light ground.
        data_dir: The data folder.
        on_progress: Called with the number of scans written, and of all.

    Raises:
        ValueError: When they are not the characters of Omniglot.
        OSError: When the disk is too small.
    """
    unlike = sorted({*drawings} ^ {*all_characters()})
    if unlike:
        raise ValueError(
            "the drawings must be of the characters of Omniglot. Received: "
            f"{len(unlike)} that differ, among them {unlike[0]!r}"
        )
    files = [content for name in all_characters() for content in drawings[name]]
    digest = hashlib.sha256(b"".join(files)).hexdigest()
    layout = _layout(SCAN_SIZE, ENCODED_PICTURES, digest)

    items = ((row, partial(_ink_file, content)) for row, content in enumerate(files))
    path = size_path(data_dir, SCAN_SIZE)
    write_table(path, layout, items, on_progress=on_progress)


def write_size(
    size: int, data_dir: Path, *, on_progress: OnProgress | None = None
) -> None:
    """Writes the table of pictures of one size, from that of the scans.

    Args:
        size: Their side in pixels.
        data_dir: The data folder.
        on_progress: Called with the number of pictures written, and of all.

    Raises:
        ValueError: When the table of the scans is damaged.
        OSError: When the disk is too small.
    """
    scans = open_size(SCAN_SIZE, data_dir).examples

    def small(row: int) -> np.ndarray:
        return shrink(scans[row][..., 0], size)[..., np.newaxis]

    path, layout = size_path(data_dir, size), _layout(size, "uint8")
    items = ((row, partial(small, row)) for row in range(len(scans)))
    write_table(path, layout, items, on_progress=on_progress)


def open_size(size: int, data_dir: Path) -> ClassTable:
    """Opens the table of pictures of one size.

    Raises:
        FileNotFoundError: When it is not there.
        ValueError: When it is damaged, or another.
    """
    path = size_path(data_dir, size)
    table = open_table(path)
    expected = (len(all_characters()) * DRAWINGS_PER_CHARACTER, size, size, 1)
    if (
        table.examples.shape != expected
        or table.examples.dtype != np.uint8
        or table.class_names != all_characters()
    ):
        raise ValueError(
            f"{path} must be Omniglot in pictures of {size}x{size}; remove the folder "
            f"and make it again. Received: {table}"
        )
    return table


def shrink(ink: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Makes a small picture of a scan.

    It is resized by Pillow's `BILINEAR` filter, which averages over all pixels
    that a target pixel covers when it shrinks (antialiasing).
    `tfmeta.datasets.reading.pictures` resizes in the same way.

    Args:
        ink: Uint8 array of shape `(height, width)`, ink 255 on 0.
        size: The side of the result in pixels; a scan of that size stays as it is.

    Returns:
        Uint8 array of shape `(size, size)`.
    """
    image = Image.fromarray(ink)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def encode_ink(ink: np.ndarray) -> bytes:
    """A PNG file of grey values, uint8 of shape `(height, width)`."""
    file = io.BytesIO()
    Image.fromarray(ink).save(file, "PNG")
    return file.getvalue()


def _ink_file(scan: bytes) -> bytes:
    return encode_ink(255 - decode_picture_file(scan, 1, ("PNG",))[..., 0])


def _layout(size: int, dtype: str, source_digest: str = "") -> TableLayout:
    names = all_characters()
    return TableLayout(
        name="omniglot",
        class_names=names,
        class_sizes=(DRAWINGS_PER_CHARACTER,) * len(names),
        example_shape=(size, size, 1),
        dtype=dtype,
        groups=tuple(map(alphabet_of, names)),
        group_level="alphabet",
        description=f"Omniglot, {size}x{size}, ink 255",
        source_digest=source_digest,
    )
