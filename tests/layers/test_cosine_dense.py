import keras
import numpy as np
import pytest

from tfmeta.layers import CosineDense


def make_layer(**arguments):
    layer = CosineDense(3, **arguments)
    layer.build((None, 4))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=(4, 3)), np.array([1.0, 2.0, 0.5])])
    return layer


def test_outputs_are_scaled_cosines():
    layer = make_layer(scale=5.0, dtype="float64")
    kernel, gain = layer.get_weights()
    x = np.random.default_rng(1).normal(size=(2, 6, 4))
    cosines = np.einsum("bri,iu->bru", x, kernel) / (
        np.linalg.norm(x, axis=-1)[..., None] * np.linalg.norm(kernel, axis=0)
    )
    np.testing.assert_allclose(layer(x), 5.0 * gain * cosines, rtol=1e-12)
    np.testing.assert_allclose(layer(7.0 * x), layer(x), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1e30])
def test_the_scale_of_inputs_and_directions_does_not_matter(scale):
    layer = make_layer()
    x = np.random.default_rng(1).normal(size=(6, 4)).astype("float32")
    expected = layer(x)
    np.testing.assert_allclose(layer(x * np.float32(scale)), expected, rtol=1e-5)
    kernel, gain = layer.get_weights()
    layer.set_weights([kernel * np.float32(scale), gain])
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_zeros_have_cosine_0():
    np.testing.assert_array_equal(make_layer()(np.zeros((1, 4))), np.zeros((1, 3)))


def test_gains_start_at_1():
    layer = CosineDense(3)
    layer.build((None, 4))
    np.testing.assert_array_equal(layer.gain, np.ones(3))


def test_a_saved_model_comes_back(tmp_path):
    model = keras.Sequential([keras.Input((4,)), CosineDense(3, scale=2.0)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(1).normal(size=(2, 4))
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("argument", [{"units": 0}, {"scale": 0.0}])
def test_mistakes_are_named(argument):
    ((name, value),) = argument.items()
    with pytest.raises(ValueError, match=f"`{name}` must be above 0.*{name}={value}"):
        CosineDense(**{"units": 2, **argument})
