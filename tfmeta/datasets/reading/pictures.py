"""Reading one picture from a file or from bytes, whatever it is stored as."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

from tfmeta.datasets.reading.unreadable import UnreadableFile

# Raster formats that Pillow decodes by itself. Others are left out on purpose:
# EPS, for one, would start Ghostscript on a file that a stranger sent.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

SUFFIXES = (
    *(".bmp", ".gif", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".ppm"),
    *(".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp"),
)
"""What files of these formats are called, in lower case."""

ACCEPTED_PICTURE = f"a whole, readable file of one of {', '.join(FORMATS)}"

PictureSource = str | os.PathLike[str] | bytes


class UnreadablePicture(UnreadableFile):
    """A file that is no whole picture; its name comes first, then what is wrong."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, "picture", ACCEPTED_PICTURE, reason)


@dataclasses.dataclass(frozen=True)
class PictureKind:
    """How a picture is stored.

    Args:
        height: Its height in pixels, upright.
        width: Its width in pixels, upright.
        mode: Pillow's name of its pixels: `"1"` (one bit), `"L"` (grey),
            `"I;16"` (16-bit grey), `"P"` (palette), `"RGB"`, `"RGBA"`, ...
    """

    height: int
    width: int
    mode: str

    @property
    def is_grey(self) -> bool:
        """Whether it has no colours."""
        return self.mode.startswith(("1", "L", "I", "F")) and self.mode != "LAB"

    @property
    def is_wide(self) -> bool:
        """Whether it is stored in grey of 16 bits a pixel."""
        return self.mode.startswith("I")


def read_picture(
    source: PictureSource,
    *,
    size: tuple[int, int] | None = None,
    channels: Literal[1, 3] = 1,
    dtype: Literal["uint8", "uint16"] = "uint8",
) -> np.ndarray:
    """Reads one picture as an array of bytes, or of 16-bit numbers.

    The picture is turned upright by its EXIF orientation, laid on white where
    it is transparent, and converted to grey (ITU-R 601 luma) or RGB. As uint8,
    sixteen bits a pixel become eight by leaving out the lower eight; as uint16,
    grey of sixteen bits stays as it is, and eight bits are spread over the whole
    range (times 257). Resizing stretches
    to `size` with Pillow's `BILINEAR` filter, which averages over all pixels
    that a target pixel covers when it shrinks (antialiasing). Of several frames
    or pages the first is taken.

    Args:
        source: Path of a BMP, GIF, JPEG, PNG, PPM (also PGM and PBM), TIFF or
            WebP file, or the content of one.
        size: Height and width of the result in pixels, or `None` to keep the
            picture's own.
        channels: 1 for grey or 3 for red, green and blue.
        dtype: `"uint8"` or `"uint16"`.

    Returns:
        Array of shape `(height, width, channels)` and that dtype, 0 black, 255 or
        65,535 white.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is no picture, is truncated, damaged or has
            more pixels than `PIL.Image.MAX_IMAGE_PIXELS`, for uint16 also when it
            has colours of 16 bits, which Pillow reads as 8, and for a `size`,
            `channels` or `dtype` that is not accepted.

    Example:

    ```python
    read_picture("query.png", size=(28, 28), channels=1).shape  # (28, 28, 1)
    ```
    """
    check_form(size, channels)
    if dtype not in ("uint8", "uint16"):
        raise ValueError(f"`dtype` must be 'uint8' or 'uint16'. Received: {dtype!r}")
    with opened_picture(source) as picture:
        if dtype == "uint16":
            _refuse_wide_colours(picture)
        picture.load()
        upright = ImageOps.exif_transpose(picture)
        if dtype == "uint16" and _is_wide(upright, picture.format):
            wide = _resized_wide(np.asarray(upright), size)
            return np.repeat(wide[:, :, None], channels, axis=2)
        pixels = to_eight_bits(upright, picture.format)
        pixels = on_white(pixels).convert("L" if channels == 1 else "RGB")
        if size is not None and pixels.size != (size[1], size[0]):
            pixels = pixels.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        array = np.array(pixels, np.uint8)
    if dtype == "uint16":
        array = array * np.uint16(257)
    return array.reshape(*array.shape[:2], channels)


def picture_kind(source: PictureSource) -> PictureKind:
    """The size and pixel mode of a picture, from the head of its file alone.

    Args:
        source: As of `read_picture`.

    Returns:
        The kind. Pictures of unlike kinds in one task hint at a mistake.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is no picture or has too many pixels.

    Example:

    ```python
    picture_kind("query.png")  # PictureKind(height=105, width=105, mode='1')
    ```
    """
    with opened_picture(source) as picture:
        width, height = picture.size
        orientation = picture.getexif().get(0x0112, 1)
        if orientation in (5, 6, 7, 8):  # stored lying on its side
            width, height = height, width
        return PictureKind(height, width, picture.mode)


def check_form(size: tuple[int, int] | None, channels: int) -> None:
    """Checks the form that pictures are to be brought into.

    Args:
        size: Height and width, or `None`.
        channels: The number of channels.

    Raises:
        ValueError: When one of them is not accepted.
    """
    if channels not in (1, 3):
        raise ValueError(f"`channels` must be 1 or 3. Received: {channels!r}")
    if size is not None and (
        len(size) != 2 or any(not isinstance(n, int) or n < 1 for n in size)
    ):
        raise ValueError(
            "`size` must be None or two positive integers, height and width. "
            f"Received: {size!r}"
        )


@contextmanager
def opened_picture(source: PictureSource) -> Iterator[Image.Image]:
    """Opens a picture; whatever goes wrong inside becomes `UnreadablePicture`."""
    file: BinaryIO
    if isinstance(source, bytes):
        name, file = f"{len(source):,} bytes", io.BytesIO(source)
    else:
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(
                f"picture {str(path)!r} must be a file. Received: none there"
            )
        name, file = repr(str(path)), path.open("rb")
    with file:
        try:
            with Image.open(file, formats=FORMATS) as picture:
                # Pillow itself only warns up to twice its limit.
                limit = Image.MAX_IMAGE_PIXELS
                if limit is not None and picture.width * picture.height > limit:
                    raise ValueError(
                        f"{picture.width}x{picture.height} pixels, more than {limit:,}"
                    )
                yield picture
        # Pillow's decoders raise errors of many types on damaged files.
        except Exception as error:
            received = str(error)
            if isinstance(error, Image.UnidentifiedImageError):
                received = "no known picture"
            elif isinstance(error, Image.DecompressionBombError):
                received = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
            raise UnreadablePicture(name, received) from error


def to_eight_bits(picture: Image.Image, stored_as: str | None) -> Image.Image:
    """Grey of 16 bits as grey of 8; Pillow's own conversion would clip it."""
    if _is_wide(picture, stored_as):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {picture.mode!r}, whose range is not known")
    return picture


def on_white(picture: Image.Image) -> Image.Image:
    """The picture laid on white where it is transparent."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _is_wide(picture: Image.Image, stored_as: str | None) -> bool:
    # Pillow gives 16 bits of PGM, and of PNG before its version 11, as mode I.
    wide = picture.mode == "I" and stored_as in ("PNG", "PPM")
    return wide or picture.mode.startswith("I;16")


def _resized_wide(pixels: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Uint16 grey in the size wanted; through floats, which hold it exactly."""
    if size is not None and pixels.shape != tuple(size):
        picture = Image.fromarray(pixels.astype(np.float32))
        resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels = np.rint(np.asarray(resized))
    return pixels.astype(np.uint16)


def _refuse_wide_colours(picture: Image.Image) -> None:
    # Only what its decoder is told shows that Pillow will drop the lower bits.
    for codec, _, _, arguments in getattr(picture, "tile", ()):
        first, *others = arguments if isinstance(arguments, tuple) else (arguments,)
        wide = ";16" in str(first) or (codec == "ppm" and others[:1] > [255])
        if wide and not picture.mode.startswith("I"):
            raise ValueError("colours or transparency of 16 bits, read as 8")
