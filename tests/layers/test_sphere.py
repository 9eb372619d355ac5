"""Vectors of one length, also those that have none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import Sphere
from tfmeta.layers.sphere import unit_vectors


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_length_and_direction(dtype):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 5, 7)) * [[[1e-2], [1.0], [1e2], [3.0], [0.0]]]
    layer = Sphere(10.0, dtype=dtype)
    outputs = layer(tf.constant(vectors, dtype))
    assert outputs.dtype == dtype and outputs.shape == (3, 5, 7)
    outputs = tf.cast(outputs, tf.float64).numpy()
    tolerance = {"float16": 2e-3, "bfloat16": 2e-2}.get(dtype, 1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(outputs, axis=-1)[:, :4], 10.0, rtol=tolerance
    )
    np.testing.assert_array_equal(outputs[:, 4], 0.0)
    expected = 10 * vectors[:, :4] / np.linalg.norm(vectors[:, :4], axis=-1)[..., None]
    np.testing.assert_allclose(outputs[:, :4], expected, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_gradient_at_zero_is_zero(dtype):
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = tf.reduce_sum(Sphere(5.0, dtype=dtype)(x)[:, 0])
    gradient = tape.gradient(first, x)
    np.testing.assert_array_equal(gradient[0], 0.0)
    # By hand: 5 (1 - 0.6²) / 5 and -5 · 0.6 · 0.8 / 5.
    np.testing.assert_allclose(gradient[1], [0.64, -0.48], rtol=1e-2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_length_comes_to_one(dtype):
    """Float16 has numbers below its smallest normal one; they count there."""
    limits = np.finfo(dtype if dtype.startswith("float") else "float32")
    sizes = [limits.tiny, 1e-4, 1.0, 1e4, float(limits.max) / 8]
    vectors = np.array([[3.0, -4.0, 0.0]]) * np.array(sizes)[:, None]
    unit = tf.cast(unit_vectors(tf.constant(vectors, dtype)), tf.float64)
    expected = np.tile([0.6, -0.8, 0.0], (5, 1))
    np.testing.assert_allclose(unit, expected, atol=1e-2 if "16" in dtype else 1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_unit_vectors_along_another_axis_and_of_what_is_not_finite(jit_compile):
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 0.0], [np.inf, 1.0]])
    unit = tf.function(lambda x: unit_vectors(x, axis=0), jit_compile=jit_compile)
    found = unit(tf.constant(rows.T)).numpy().T
    np.testing.assert_allclose(found[:2], [[0.6, 0.8], [0.0, 0.0]], rtol=1e-12)
    assert np.isnan(found[2:]).any(axis=1).all()


def test_gradient_of_the_keras_layer_at_zero_is_huge():
    """Should this fail, `keras.layers.UnitNormalization` would do."""
    x = tf.zeros((1, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = keras.layers.UnitNormalization()(x)[:, 0]
    assert np.abs(tape.gradient(first, x)).max() > 1e9


def test_config():
    layer = Sphere(2.5, name="ball")
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(copy) is Sphere and copy.get_config() == layer.get_config()


@pytest.mark.parametrize("radius", [0, -1.0, float("nan")])
def test_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match=f"`radius` must be above 0.*={radius}"):
        Sphere(radius)
