import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import UnreadablePicture


def smooth(height, width, bands=3, seed=0):
    """A picture of few details, which any good filter shrinks alike."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, bands), np.uint8)
    small = small[..., 0] if bands == 1 else small
    picture = Image.fromarray(small)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def stored(picture, form, **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def test_small_pictures_are_resized_as_pillow_does():
    picture = smooth(84, 60)
    expected = picture.resize((224, 224), Image.Resampling.BICUBIC)
    found = read_photograph(stored(picture, "PNG"), size=(224, 224))
    assert (found.dtype, found.shape) == (np.uint8, (224, 224, 3))
    np.testing.assert_array_equal(found, np.asarray(expected))
    same = read_photograph(stored(picture, "PNG"), size=(84, 60))
    np.testing.assert_array_equal(same, np.asarray(picture))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_large_pictures_are_shrunk_in_two_steps_that_do_not_show(form):
    picture = smooth(620, 870)
    content = stored(picture, form)
    found = read_photograph(content, size=(96, 128))
    with Image.open(io.BytesIO(content)) as whole:
        expected = np.asarray(whole.convert("RGB").resize((128, 96), 3), np.float64)
    assert np.abs(found - expected).mean() < 0.6
    assert np.abs(found - expected).max() <= 6


def by_pillow(content, size, channels):
    """All in one step, with everything decoded."""
    with Image.open(io.BytesIO(content)) as picture:
        if picture.mode == "I;16":
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            white = Image.new("RGBA", picture.size, "white")
            white.alpha_composite(picture.convert("RGBA"))
            picture = white
        picture = picture.convert("RGB").convert("L" if channels == 1 else "RGB")
        resized = picture.resize(size[::-1], Image.Resampling.BICUBIC)
        return np.asarray(resized, np.int64).reshape(*size, channels)


@pytest.mark.parametrize("height", [40, 300])
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr"]
)
def test_all_kinds_of_pixels(mode, height):
    picture = smooth(height, height, bands=4)
    if mode == "I;16":
        grey = np.asarray(picture.convert("RGB").convert("L")).astype(np.uint16)
        picture = Image.fromarray(grey * 257)
    elif mode != "RGBA":
        picture = picture.convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    form = {"CMYK": "TIFF", "YCbCr": "JPEG"}.get(mode, "PNG")
    content = stored(picture, form)
    for channels in (1, 3):
        found = read_photograph(content, size=(32, 32), channels=channels)
        expected = by_pillow(content, (32, 32), channels)
        assert np.abs(found - expected).mean() < (4 if mode in ("1", "P") else 0.8)


@pytest.mark.parametrize("size", [40, 300])
@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA"])
def test_what_is_transparent_is_white(mode, size):
    picture = Image.new("RGBA", (size, size), (200, 0, 0, 255))
    ImageDraw.Draw(picture).rectangle((0, 0, size // 2 - 1, size), (0, 0, 0, 0))
    options = {}
    if mode == "P":
        picture = picture.quantize(8)
    elif mode == "RGB":
        picture, options = picture.convert("RGB"), {"transparency": (0, 0, 0)}
    found = read_photograph(stored(picture, "PNG", **options), size=(20, 20))
    assert (found[:, :8] > 250).all()
    np.testing.assert_allclose(
        found[:, 12:], np.broadcast_to([200, 0, 0], (20, 8, 3)), atol=6
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "size"), [("JPEG", 50), ("JPEG", 300), ("PNG", 300)])
def test_pictures_are_turned_upright(orientation, form, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = stored(smooth(size, size * 3 // 2), form, exif=exif)
    found = read_photograph(content, size=(30, 45)).astype(int)
    assert np.abs(found - by_pillow(content, (30, 45), 3)).mean() < 1


def test_the_first_frame_of_a_moving_picture():
    frames = [Image.new("RGB", (50, 40), c) for c in ("red", "blue", "lime")]
    content = stored(frames[0], "GIF", save_all=True, append_images=frames[1:])
    found = read_photograph(content, size=(10, 10))
    np.testing.assert_array_equal(found, np.broadcast_to([255, 0, 0], (10, 10, 3)))


def test_one_pixel_and_a_line():
    found = read_photograph(
        stored(Image.new("RGB", (1, 1), "navy"), "PNG"), size=(8, 8)
    )
    np.testing.assert_array_equal(found, np.broadcast_to([0, 0, 128], (8, 8, 3)))
    line = Image.new("L", (5000, 1), 77)
    assert (read_photograph(stored(line, "PNG"), size=(8, 8)) == 77).all()


def test_what_is_no_picture_is_refused(tmp_path):
    whole = stored(smooth(900, 900), "JPEG")
    for content, reason in (
        (b"a text", "no known picture"),
        (b"", "no known picture"),
        (whole[: len(whole) // 2], "truncated"),
        (stored(Image.new("1", (12_000, 8_000)), "PNG"), "more than"),
        (stored(Image.new("F", (4, 4)), "TIFF"), "range is not known"),
    ):
        with pytest.raises(UnreadablePicture, match=reason):
            read_photograph(content, size=(8, 8))
    with pytest.raises(FileNotFoundError, match="must be a file"):
        read_photograph(tmp_path / "none.jpg", size=(8, 8))
    with pytest.raises(ValueError, match="`channels` must"):
        read_photograph(whole, size=(8, 8), channels=4)


def test_a_large_photograph_is_never_decoded_whole(monkeypatch):
    content = stored(smooth(1200, 1600), "JPEG")
    sizes = []
    load = Image.Image.load

    def noted(picture):
        sizes.append(picture.size)
        return load(picture)

    monkeypatch.setattr(Image.Image, "load", noted)
    assert read_photograph(content, size=(64, 64)).shape == (64, 64, 3)
    assert max(sizes) == (400, 300)
