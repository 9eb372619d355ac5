"""What is drawn, as a model of characters takes it."""

import numpy as np
import pytest
from sketches import CHARACTERS, canvas

from tfmeta.datasets.own.picture_files import PictureForm
from tfmeta.datasets.reading.ground import ground_of
from tfmeta.demo.drawings import as_character, ink_of

FORM = PictureForm((28, 28), 1, "uint8")


def character(drawn, form=FORM, light_ground=False):
    return as_character(ink_of(drawn), form, light_ground=light_ground)


def extent(picture):
    """First and last row and column of ink in light on dark."""
    inked = picture[..., 0] >= 64
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("name", CHARACTERS)
def test_it_looks_like_a_glyph(name, glyphs):
    picture = character(canvas(CHARACTERS[name]))
    assert picture.shape == (28, 28, 1) and picture.dtype == np.uint8
    assert ground_of(picture) == "dark"
    top, bottom, left, right = extent(picture)
    assert max(bottom - top, right - left) + 1 in (20, 21, 22)
    assert abs(top + bottom - 27) <= 2 and abs(left + right - 27) <= 2
    # As much ink as in one of most glyphs.
    shares = (glyphs.examples[:, :, :, 0] >= 128).mean(axis=(1, 2))
    low, high = np.percentile(shares, [2.5, 97.5])
    assert low < (picture >= 128).mean() < high


def test_place_and_size_on_the_canvas_say_nothing():
    strokes = CHARACTERS["hook"]
    usual = character(canvas(strokes)).astype(float)
    moved = canvas(strokes, centre=(110, 170), reach=70, pen=15)
    assert np.abs(character(moved) - usual).mean() < 6
    other = character(canvas(CHARACTERS["kite"]))
    assert np.abs(other - usual).mean() > 25


def test_a_dot_stays_a_dot():
    dot = np.zeros((280, 280, 4), np.uint8)
    dot[30:50, 30:50, 3] = 255
    top, bottom, _, _ = extent(character(dot))
    assert bottom - top + 1 <= 6


def test_the_whole_canvas_fits():
    full = np.zeros((280, 280, 4), np.uint8)
    full[..., 3] = 255
    assert extent(character(full)) == (3, 23, 3, 23)
    wide = character(full, PictureForm((20, 40), 1, "uint8"))
    assert wide.shape == (20, 40, 1)


@pytest.mark.parametrize("light_ground", [True, None])
def test_the_ground_is_that_of_the_model(light_ground):
    drawn = canvas(CHARACTERS["fork"])
    picture = character(drawn, light_ground=light_ground)
    np.testing.assert_array_equal(picture, 255 - character(drawn))


def test_colours_and_sixteen_bits():
    drawn = canvas(CHARACTERS["fork"])
    grey = character(drawn)
    colours = character(drawn, PictureForm((28, 28), 3, "uint8"))
    np.testing.assert_array_equal(colours, grey.repeat(3, axis=2))
    wide = character(drawn, PictureForm((28, 28), 1, "uint16"))
    assert wide.dtype == np.uint16
    np.testing.assert_array_equal(wide, grey * np.uint16(257))


def test_what_is_no_drawing_is_said():
    for nothing in (None, np.zeros((280, 280, 4), np.uint8)):
        with pytest.raises(ValueError, match="must have a drawing. Received: "):
            ink_of(nothing)
    with pytest.raises(ValueError, match=r"uint8 of shape \(280, 280\)"):
        ink_of(np.zeros((280, 280), np.uint8))
