"""The weighted L1 score against NumPy and central differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import WeightedL1


def make(features, seed=0):
    layer = WeightedL1(dtype="float64")
    layer.build(((None, features), (None, features)))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=features), np.array(0.7)])
    return layer


def by_hand(first, second, alpha, bias):
    return bias + np.abs(first[..., :, None, :] - second[..., None, :, :]) @ alpha


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_values(leading):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(*leading, 4, 5)), rng.normal(size=(*leading, 3, 5))
    layer = make(5)
    found = layer((tf.constant(first), tf.constant(second)))
    expected = by_hand(first, second, *layer.get_weights())
    assert found.shape == (*leading, 4, 3)
    assert layer.compute_output_shape((first.shape, second.shape)) == found.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_against_central_differences(jit_compile):
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3))
    of_scores = rng.normal(size=(2, 4, 5))
    layer = make(3)

    @tf.function(
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec([None, None, 3], tf.float64)] * 2,
    )
    def gradients(first, second):
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            total = tf.reduce_sum(layer((first, second)) * of_scores)
        return tape.gradient(
            total, [first, second, layer.alpha.value, layer.bias.value]
        )

    start = [first, second, *layer.get_weights()]
    for k, found in enumerate(gradients(first, second)):
        for place in np.ndindex(start[k].shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [np.array(part) for part in start]
                moved[k][place] += step
                ends.append(np.sum(by_hand(*moved) * of_scores))
            numeric = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(found.numpy()[place], numeric, atol=1e-7)


def test_gradient_of_equal_rows_is_0():
    layer = make(3)
    rows = tf.ones((1, 4, 3), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = tf.reduce_sum(layer((rows, rows)))
    assert not tape.gradient(total, rows).numpy().any()


def test_it_begins_as_a_distance():
    layer = WeightedL1()
    scores = layer((tf.zeros((1, 64)), tf.constant([[0.0], [1.0]]) * tf.ones((2, 64))))
    np.testing.assert_allclose(scores, [[2.0, -2.0]])
    again = WeightedL1.from_config(layer.get_config())
    assert isinstance(again, keras.layers.Layer)
    assert again.name == layer.name
