"""Which encoded pictures every decoder turns into the same pixels."""

from __future__ import annotations

import io
from typing import Any

_ORIENTATION = 0x0112


def check_picture_file(content: Any, shape: tuple[int, ...], where: str) -> None:
    """Checks a picture that is to stay encoded, by the head of its file.

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
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            size = (picture.height, picture.width)
            mode = picture.mode
            upright = picture.getexif().get(_ORIENTATION, 1) == 1
            clear = picture.has_transparency_data
    # Pillow raises errors of many types on damaged files.
    except Exception as error:
        raise ValueError(
            f"{where} must be a JPEG or PNG. Received: {len(content):,} bytes that "
            f"are none ({error})"
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
