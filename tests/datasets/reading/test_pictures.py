import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.reading.pictures import (
    PictureKind,
    picture_kind,
    read_picture,
)

S = (10, 14)
GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def stored(image, format_="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png_of_size(width, height):
    """The head of a PNG that says it is this large, and nothing else."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_grey_comes_back_exactly(tmp_path, format_):
    path = tmp_path / f"grey.{format_.lower()}"
    Image.fromarray(GREY).save(path)
    for source in (path, str(path), path.read_bytes()):
        picture = read_picture(source, channels=1)
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, GREY[..., None])
    np.testing.assert_array_equal(
        read_picture(path, channels=3), np.repeat(GREY[..., None], 3, axis=-1)
    )


def test_colour_and_its_luma():
    colour = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    content = stored(Image.fromarray(colour))
    np.testing.assert_array_equal(read_picture(content, channels=3), colour)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_picture(content, channels=1)[..., 0] - luma).max() <= 1


def test_one_bit_becomes_black_and_white():
    bits = GREY > 100
    content = stored(Image.fromarray(bits))
    assert picture_kind(content).mode == "1"
    np.testing.assert_array_equal(read_picture(content)[..., 0], bits * np.uint8(255))


def test_sixteen_bits_lose_the_lower_eight():
    wide = np.array([[0, 255, 256, 32768], [40000, 65279, 65280, 65535]], np.uint16)
    for format_ in ("PNG", "TIFF"):
        content = stored(Image.fromarray(wide), format_)
        np.testing.assert_array_equal(read_picture(content)[..., 0], wide // 256)
    pgm = b"P5 4 2 65535\n" + wide.astype(">u2").tobytes()
    np.testing.assert_array_equal(read_picture(pgm)[..., 0], wide // 256)


def test_sixteen_bits_stay_when_they_are_wanted():
    wide = np.array([[0, 255, 256, 32768], [40000, 65279, 65280, 65535]], np.uint16)
    pgm = b"P5 4 2 65535\n" + wide.astype(">u2").tobytes()
    contents = [stored(Image.fromarray(wide), f) for f in ("PNG", "TIFF")] + [pgm]
    for content in contents:
        assert picture_kind(content).is_wide
        picture = read_picture(content, dtype="uint16")
        assert picture.dtype == np.uint16
        np.testing.assert_array_equal(picture[..., 0], wide)
        colour = read_picture(content, dtype="uint16", channels=3)
        np.testing.assert_array_equal(colour, np.repeat(picture, 3, axis=2))


def test_eight_bits_are_spread_over_sixteen():
    assert not picture_kind(stored(Image.fromarray(GREY))).is_wide
    picture = read_picture(stored(Image.fromarray(GREY)), dtype="uint16")
    assert picture.dtype == np.uint16
    np.testing.assert_array_equal(picture[..., 0], GREY * 257.0)
    # The upper eight bits are what uint8 gives back.
    np.testing.assert_array_equal(picture[..., 0] >> 8, GREY)


def test_sixteen_bits_are_resized_as_eight_are():
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 2**16, (40, 56), np.uint16)
    eight = read_picture(stored(Image.fromarray((wide >> 8).astype(np.uint8))), size=S)
    sixteen = read_picture(stored(Image.fromarray(wide)), size=S, dtype="uint16")
    assert sixteen.shape == (10, 14, 1)
    assert np.abs(sixteen / 256.0 - eight).max() < 1.5
    plain = np.full((9, 5), 65535, np.uint16)
    enlarged = read_picture(stored(Image.fromarray(plain)), size=S, dtype="uint16")
    assert (enlarged == 65535).all()


@pytest.mark.parametrize("maximum", [1023, 65535])
def test_colours_of_sixteen_bits_are_refused_as_sixteen(maximum):
    content = b"P6 2 1 %d\n" % maximum + bytes(12)
    assert read_picture(content, channels=3).shape == (1, 2, 3)
    with pytest.raises(ValueError, match="16 bits, read as 8"):
        read_picture(content, channels=3, dtype="uint16")
    png = tf_png(np.zeros((2, 2, 3), np.uint16))
    with pytest.raises(ValueError, match="16 bits, read as 8"):
        read_picture(png, channels=3, dtype="uint16")


def tf_png(array):
    import tensorflow as tf

    return tf.io.encode_png(array).numpy()


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="`dtype`.*'float32'"):
        read_picture(stored(Image.fromarray(GREY)), dtype="float32")


def test_pixels_of_unknown_range_are_refused():
    content = stored(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    with pytest.raises(ValueError, match="'F'"):
        read_picture(content)


def test_palette_gives_its_colours():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    picture = read_picture(stored(image), channels=3)
    assert picture.tolist() == [[[10, 20, 30], [200, 100, 50]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_laid_on_white(mode):
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([0, 0, 0, 0, 0, 0])
        image.putpixel((1, 0), 1)
        content = stored(image, transparency=0)
    else:
        image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
        image.putpixel((1, 0), (0, 0, 0, 255))
        content = stored(image.convert(mode))
    assert read_picture(content)[0, :, 0].tolist() == [255, 0]
    assert read_picture(content, channels=3)[0, :, 1].tolist() == [255, 0]


def test_half_transparent_ink_is_half_as_dark():
    content = stored(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))
    assert read_picture(content).item() == 127


def test_cmyk_jpeg():
    content = stored(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert picture_kind(content).mode == "CMYK"
    red = read_picture(content, channels=3).reshape(-1, 3).mean(0)
    assert red[0] > 240
    assert red[1:].max() < 15


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_upright_by_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = stored(Image.fromarray(GREY), exif=exif.tobytes())
    # What the orientation tag says about the stored rows and columns.
    upright = {
        1: GREY,
        2: GREY[:, ::-1],
        3: GREY[::-1, ::-1],
        4: GREY[::-1],
        5: GREY.T,
        6: GREY.T[:, ::-1],
        7: GREY.T[::-1, ::-1],
        8: GREY.T[::-1],
    }[orientation]
    np.testing.assert_array_equal(read_picture(content)[..., 0], upright)
    assert picture_kind(content) == PictureKind(*upright.shape, "L")


def test_resizing_averages_when_it_shrinks():
    # One-pixel stripes have the mean 127.5; picking pixels would give 0 or 255.
    stripes = np.tile(np.array([0, 255], np.uint8), (60, 30))
    small = read_picture(stored(Image.fromarray(stripes)), size=(6, 10))
    assert small.shape == (6, 10, 1)
    assert np.abs(small.astype(float) - 127.5).max() < 20


def test_a_plain_picture_stays_plain_at_any_size():
    content = stored(Image.new("RGB", (13, 5), (1, 2, 3)))
    for size in ((1, 1), (28, 28), (5, 13)):
        picture = read_picture(content, size=size, channels=3)
        assert picture.shape == (*size, 3)
        assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP"])
def test_truncated_files_are_refused_by_name(tmp_path, format_):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    content = stored(Image.fromarray(noise), format_)
    path = tmp_path / "cut.bin"
    for keep in (0, 1, 10, len(content) // 2):
        path.write_bytes(content[:keep])
        with pytest.raises(ValueError, match="cut.bin.*must be a whole"):
            read_picture(path)


def test_damaged_png_is_refused():
    content = bytearray(stored(Image.fromarray(GREY)))
    content[content.index(b"IDAT") + 6] ^= 0xFF
    with pytest.raises(ValueError, match="must be a whole"):
        read_picture(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        bytes(1000),
    ],
)
def test_what_is_no_picture_is_refused(content):
    for read in (read_picture, picture_kind):
        with pytest.raises(ValueError, match="must be a whole, readable file"):
            read(content)


# Pillow warns above its limit and raises above twice that.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_500, 14_000, 100_000])
def test_decompression_bombs_are_refused(side):
    for read in (read_picture, picture_kind):
        with pytest.raises(ValueError, match="pixels"):
            read(png_of_size(side, side))


def test_missing_files(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(FileNotFoundError, match="picture"):
            read_picture(path)


@pytest.mark.parametrize("size", [(28,), (28, 0), (28, -1), (28.0, 28), (1, 2, 3)])
def test_size_is_checked(size):
    with pytest.raises(ValueError, match="`size`"):
        read_picture(stored(Image.fromarray(GREY)), size=size)


def test_channels_are_checked():
    with pytest.raises(ValueError, match="`channels`.*Received: 4"):
        read_picture(stored(Image.fromarray(GREY)), channels=4)
