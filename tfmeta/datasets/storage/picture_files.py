"""Pictures as files: which may stay encoded, and decoding them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

KEPT_FORMATS = ("JPEG", "PNG")

_ORIENTATION = 0x0112


def check_picture_file(content: Any, shape: tuple[int, ...], where: str) -> None:
    """Checks a picture that is to stay encoded.

    Only such files are let through of which Pillow and TensorFlow make the same
    pixels.

    Args:
        content: Content of the file: a JPEG or PNG of 8 bits, grey or RGB,
            stored upright.
        shape: `(height, width, channels)`. Grey may be stored where three
            channels are wanted, not the other way round.
        where: Which picture this is, for the message.

    Raises:
        TypeError: When the content is not `bytes`.
        ValueError: When it is another picture, or none.
    """
    from PIL import Image

    if not isinstance(content, bytes):
        raise TypeError(f"{where} must be bytes. Received: {type(content).__name__}")
    try:
        with Image.open(io.BytesIO(content), formats=KEPT_FORMATS) as picture:
            size = (picture.height, picture.width)
            mode = picture.mode
            upright = picture.getexif().get(_ORIENTATION, 1) == 1
            clear = picture.has_transparency_data
            if size == shape[:2]:  # Whole, and not only its head.
                picture.load()
    # Pillow raises errors of many types on damaged files.
    except Exception as error:
        raise ValueError(
            f"{where} must be a whole JPEG or PNG. Received: {len(content):,} bytes "
            f"that are not ({error})"
        ) from error
    modes = ("L",) if shape[2] == 1 else ("L", "RGB")
    if size != shape[:2] or mode not in modes or not upright or clear:
        raise ValueError(
            f"{where} must be a picture of {shape[0]}x{shape[1]} pixels (height x "
            f"width), of mode {' or '.join(modes)}, upright and without transparency. "
            f"Received: {size[0]}x{size[1]} of mode {mode}"
            f"{'' if upright else ', turned by its EXIF orientation'}"
            f"{', with transparency' if clear else ''}; decode it and encode it anew"
        )


def decode_picture_file(
    content: bytes, channels: int, formats: tuple[str, ...] = KEPT_FORMATS
) -> np.ndarray:
    """The pixels of a picture as they are stored, whatever its EXIF data say.

    Args:
        content: Content of the file.
        channels: 1 for grey or 3 for red, green and blue.
        formats: Formats that Pillow may read.

    Returns:
        Uint8 array of shape `(height, width, channels)`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=formats) as picture:
        pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)
