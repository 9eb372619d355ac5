"""Pictures of one size."""

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.layers import ResizedPictures


def picture(height, width):
    """Smooth, with an edge."""
    rows, columns = np.mgrid[:height, :width]
    waves = 100 + 90 * np.sin(rows / 9) * np.cos(columns / 7)
    waves[:, width // 2 :] *= 0.2
    return waves.astype(np.float32)


@pytest.mark.parametrize("shape", [(100, 64), (20, 31)])
def test_is_the_bicubic_filter_of_pillow(shape):
    pixels = picture(*shape)
    expected = np.asarray(
        Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
    )
    found = ResizedPictures(32)(pixels[None, :, :, None]).numpy()[0, :, :, 0]
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=0.02)


def test_stays_within_the_range_of_pixels():
    pixels = np.zeros((1, 16, 16, 1), "float32")
    pixels[:, 8:] = 255
    found = ResizedPictures(37)(pixels).numpy()
    assert found.min() == 0 and found.max() == 255


def test_pictures_of_the_size_pass_as_they_are():
    pixels = np.random.default_rng(0).uniform(-9, 300, (2, 8, 8, 3)).astype("float32")
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, ResizedPictures(8)(inputs))
    np.testing.assert_array_equal(model(pixels), pixels)
    assert model(pixels[:, :5]).shape == (2, 8, 8, 3)
    assert model.output_shape == (None, 8, 8, 3)
    assert not model.layers[1].supports_jit
    fixed = keras.Input((8, 8, 3))
    assert keras.Model(fixed, ResizedPictures(8)(fixed)).layers[1].supports_jit


@pytest.mark.parametrize("size", [0, -1, 2.0, None, True])
def test_refuses_a_size_that_is_none(size):
    with pytest.raises(ValueError, match="`size` must be a positive integer"):
        ResizedPictures(size)
