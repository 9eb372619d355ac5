"""Pictures of strangers as files that TensorFlow's decoders read without surprise.

A GIF of ten thousand frames is decoded whole there, and pictures are not turned by
their EXIF orientation.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageOps

from tfmeta.datasets.reading.pictures import on_white, opened_picture, to_eight_bits
from tfmeta.serving.deadline import check_deadline
from tfmeta.serving.refusals import of_example

# Of all pictures of one request, in pixels: as many as are in memory at once.
_MOST_TOGETHER = 64_000_000
# Beyond, a picture is averaged over blocks first: encoders look at a tenth of it.
_MOST_OF_ONE = 4_000_000


def plain_files(contents: Sequence[bytes]) -> list[bytes]:
    """BMP files of the same pictures: upright, on white, of one frame, in RGB.

    Large ones are shrunk by a whole factor.

    Args:
        contents: Of picture files whose pixels were counted.

    Raises:
        Refusal: 422, which of them is damaged.
    """
    most = min(_MOST_OF_ONE, _MOST_TOGETHER // max(1, len(contents)))
    found = []
    for place, content in enumerate(contents):
        try:
            found.append(_plain(content, most))
        except ValueError as error:
            raise of_example(error, place, len(contents)) from error
    return found


def _plain(content: bytes, most: int) -> bytes:
    check_deadline()
    with opened_picture(content) as picture:
        picture.load()
        pixels = on_white(to_eight_bits(picture, picture.format)).convert("RGB")
        upright = ImageOps.exif_transpose(_with_exif(pixels, picture))
        factor = math.ceil(math.sqrt(upright.width * upright.height / most))
        if factor > 1:
            upright = upright.reduce(factor)
        file = io.BytesIO()
        upright.save(file, "BMP")
    return file.getvalue()


def _with_exif(pixels: Image.Image, picture: Image.Image) -> Image.Image:
    """Pixels that know how the camera was held; conversions forget it."""
    pixels.info["exif"] = picture.getexif().tobytes()
    return pixels
