"""Pictures of any channels as red, green and blue."""

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.layers import RGBPictures


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGBA", 4)])
def test_is_what_the_reader_of_pictures_makes_of_it(tmp_path, mode, channels):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 7, channels), np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(
        tmp_path / "a.png"
    )
    expected = read_picture(tmp_path / "a.png", channels=3)
    found = RGBPictures()(pixels[None]).numpy()[0]
    # The reader rounds to bytes.
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_free_number_of_channels_gives_the_same(channels):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, channels))
    inputs = keras.Input((None, None, None))
    free = keras.Model(inputs, RGBPictures()(inputs))
    pixels = pixels.astype("float32")
    np.testing.assert_array_equal(free(pixels), RGBPictures()(pixels))


def test_keeps_full_precision_under_a_mixed_policy():
    pixels = np.full((1, 2, 2, 3), 200.25, "float32")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = RGBPictures()(pixels)
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 2, 5)])
def test_refuses_what_is_no_picture(shape):
    with pytest.raises(ValueError, match="1, 2, 3 or 4 channels. Received"):
        RGBPictures()(np.zeros(shape, "float32"))
