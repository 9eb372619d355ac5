"""Reading a photograph as a pre-trained encoder takes it, however large it is."""

from __future__ import annotations

import threading
from typing import Literal

import numpy as np
from PIL import Image

from tfmeta.datasets.reading.pictures import (
    PictureSource,
    check_form,
    on_white,
    opened_picture,
    to_eight_bits,
)

# A picture that is shrunk in two steps keeps this many pixels a side for each that is
# wanted: then the first step, which is quick and wants little memory, does not show.
_GAP = 3
# From here on one at a time: decoded, it takes up to half a gigabyte.
_LARGE = 8_000_000
# Rows of a shrunk picture at once.
_STRIP = 64
_one_large = threading.Lock()

_ORIENTATION = 0x0112
# What turns a picture upright, by its orientation in EXIF.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_photograph(
    source: PictureSource, *, size: tuple[int, int], channels: Literal[1, 3] = 3
) -> np.ndarray:
    """Reads one picture in the size of an encoder.

    As `read_picture`, but with Pillow's `BICUBIC` filter, as networks of photographs
    are measured with, and with bounded memory: a large JPEG is decoded in a half, a
    quarter or an eighth of its size, a large picture of another format is averaged
    over blocks first, and of several threads one at a time decodes a large one.

    Args:
        source: Path of a picture, or its content.
        size: Height and width of the result in pixels; the picture is stretched.
        channels: 1 for grey or 3 for red, green and blue.

    Returns:
        Uint8 `(height, width, channels)`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: `UnreadablePicture` when the file is no picture, is truncated,
            damaged or has more pixels than `PIL.Image.MAX_IMAGE_PIXELS`; and for a
            `size` or `channels` that is not accepted.

    Example:

    ```python
    read_photograph("holiday.jpg", size=(224, 224)).shape  # (224, 224, 3)
    ```
    """
    check_form(size, channels)
    with opened_picture(source) as picture:
        # It may lie on its side, so that either side may become either.
        enough = _GAP * max(size)
        picture.draft(None, (enough, enough))
        if picture.width * picture.height < _LARGE:
            return _read(picture, size, channels)
        with _one_large:
            return _read(picture, size, channels)


def _read(picture: Image.Image, size: tuple[int, int], channels: int) -> np.ndarray:
    picture.load()
    turn = _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    pixels = _shrunk(to_eight_bits(picture, picture.format), _GAP * max(size))
    if turn is not None:
        pixels = pixels.transpose(turn)
    pixels = on_white(pixels).convert("L" if channels == 1 else "RGB")
    if pixels.size != (size[1], size[0]):
        pixels = pixels.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.array(pixels, np.uint8).reshape(*size, channels)


def _shrunk(picture: Image.Image, enough: int) -> Image.Image:
    """The picture averaged over blocks, while both sides stay longer than `enough`."""
    factors = (max(1, picture.width // enough), max(1, picture.height // enough))
    if factors == (1, 1):
        return picture
    # In strips, as some kinds of pixels have to be converted on the way.
    rows = factors[1] * _STRIP
    strips = [
        _with_means(
            picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        ).reduce(factors)
        for top in range(0, picture.height, rows)
    ]
    height = sum(strip.height for strip in strips)
    shrunk = Image.new(strips[0].mode, (strips[0].width, height))
    top = 0
    for strip in strips:
        shrunk.paste(strip, (0, top))
        top += strip.height
    return shrunk


def _with_means(picture: Image.Image) -> Image.Image:
    """The picture with pixels that have a mean.

    Neither indices into a palette nor a colour that stands for none have one.
    """
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode in ("1", "P"):
        return picture.convert("L" if picture.mode == "1" else "RGB")
    return picture
