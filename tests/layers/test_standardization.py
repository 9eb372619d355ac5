"""Standardization against float64 on NumPy and scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from tfmeta.layers import Standardization


def of(examples):
    return Standardization.of(examples)(examples).numpy()


@pytest.mark.parametrize("shape", [(50, 4), (20, 9, 4), (10, 3, 5, 4)])
def test_channels_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    examples = rng.normal([3, 0, -1e5, 1e-7], [1, 1e6, 10, 1e-9], shape)
    expected = StandardScaler().fit_transform(examples.reshape(-1, 4)).reshape(shape)
    np.testing.assert_allclose(of(examples), expected, atol=1e-3)


def test_scales_do_not_matter():
    rng = np.random.default_rng(1)
    examples = rng.normal(size=(30, 3))
    for scale in (1e-30, 1e-9, 1.0, 1e9, 1e30):
        found = of((examples * scale).astype(np.float32))
        np.testing.assert_allclose(found, of(examples), rtol=1e-4, atol=1e-5)


def test_what_lies_far_from_zero_is_not_rounded_away():
    seconds = 1.7e9 + np.arange(60.0)[:, None]  # float32 has steps of 128 there
    layer = Standardization.of(seconds)
    assert layer.needs_float64
    expected = (seconds - seconds.mean()) / seconds.std()
    for given in (seconds, seconds.astype(np.int64)):
        np.testing.assert_allclose(layer(given), expected, atol=1e-5)
    assert not Standardization.of(seconds - 1.7e9).needs_float64


def test_a_constant_channel_stays_finite():
    layer = Standardization.of(np.array([[7.0, 0.1], [7.0, 0.1], [7.0, 0.1]]))
    np.testing.assert_allclose(layer(np.array([[9.0, 0.1]])), [[2, 0]], atol=1e-6)


def test_blocks_are_the_whole(monkeypatch):
    from tfmeta.layers import standardization

    examples = np.random.default_rng(2).normal(5, 3, (101, 4))
    whole = Standardization.of(examples).get_config()
    monkeypatch.setattr(standardization, "_BLOCK", 7 * examples[:1].nbytes)
    parts = Standardization.of(examples).get_config()
    for name in ("mean", "deviation"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, bool])
def test_any_dtype(dtype):
    examples = np.random.default_rng(3).integers(0, 2, (40, 3)).astype(dtype)
    found = of(examples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-5)


def test_it_is_saved_and_follows_the_policy(tmp_path):
    examples = np.random.default_rng(4).normal(5, 3, (8, 3))
    layer = Standardization.of(examples, dtype="mixed_bfloat16")
    assert layer(examples).dtype == tf.bfloat16
    model = keras.Sequential([keras.Input((3,)), Standardization.of(examples)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(examples), model(examples))
    assert model.count_params() == 0


@pytest.mark.parametrize(
    ("mean", "deviation"), [([0.0], [0.0]), ([0.0], []), ([np.nan], [1.0])]
)
def test_what_is_no_scale(mean, deviation):
    with pytest.raises(ValueError, match="`mean` and `deviation` must be finite"):
        Standardization(mean, deviation)


def test_numbers_without_a_variance_are_refused():
    with pytest.raises(ValueError, match="mean and variance are finite.*1 of 2"):
        Standardization.of(np.array([[1e300, 0.0], [-1e300, 1.0]]))
