"""Which pictures may stay encoded."""

import io

import numpy as np
import pytest
from PIL import Image
from stored_tables import encode

from tfmeta.datasets.storage.picture_files import (
    check_picture_file,
    decode_picture_file,
)

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 7, 3), np.uint8)
GREY = COLOUR[..., :1]


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(COLOUR), "JPEG", exif=exif)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("picture", "channels"), [(COLOUR, 3), (GREY, 1), (GREY, 3)])
def test_plain_pictures_may(kind, picture, channels):
    content = encode(picture, kind)
    check_picture_file(content, (6, 7, channels), "this")
    pixels = decode_picture_file(content, channels)
    assert pixels.shape == (6, 7, channels) and pixels.dtype == np.uint8
    if kind == "PNG":
        np.testing.assert_array_equal(pixels, np.broadcast_to(picture, pixels.shape))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode(COLOUR[:5]), "5x7 of mode RGB"),
        (saved(Image.fromarray(COLOUR).convert("P")), "mode P"),
        (saved(Image.fromarray(COLOUR).convert("RGBA")), "mode RGBA"),
        (saved(Image.fromarray(COLOUR).convert("1")), "mode 1"),
        (saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "mode CMYK"),
        (saved(Image.fromarray(COLOUR[..., 0].astype("u2"))), "mode I;16"),
        (saved(Image.fromarray(COLOUR), transparency=(1, 2, 3)), "transparency"),
        (saved(Image.fromarray(COLOUR), "GIF"), "that are not"),
        (turned(), "turned by its EXIF"),
        (encode(COLOUR)[:-30], "that are not"),
        (encode(COLOUR, "JPEG")[:-30], "that are not"),
        (b"", "0 bytes that are not"),
    ],
)
def test_others_are_refused_by_name(content, message):
    with pytest.raises(ValueError, match="this must be") as error:
        check_picture_file(content, (6, 7, 3), "this")
    assert message in str(error.value)


def test_colour_is_not_made_grey():
    with pytest.raises(ValueError, match="of mode L, .*mode RGB"):
        check_picture_file(encode(COLOUR), (6, 7, 1), "this")


def test_only_bytes_are_a_file():
    with pytest.raises(TypeError, match="this must be bytes. Received: ndarray"):
        check_picture_file(COLOUR, (6, 7, 3), "this")
