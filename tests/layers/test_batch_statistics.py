"""Statistics of batch normalization, chosen from outside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNormalization, batch_statistics


@pytest.fixture
def model():
    layers = [BatchNormalization(), keras.layers.Conv2D(3, 2), BatchNormalization()]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    rng = np.random.default_rng(0)
    model.set_weights([0.5 + rng.random(w.shape) for w in model.get_weights()])
    return model


def pictures(seed, count=5):
    return np.random.default_rng(seed).normal(size=(count, 4, 4, 2)).astype("float32")


def test_statistics_of_the_batch_at_inference(model):
    x = pictures(1)
    with batch_statistics(of_batch=True):
        found = model(x, training=False)
    before = model.get_weights()
    expected = model(x, training=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert any(
        np.any(a != b) for a, b in zip(before, model.get_weights(), strict=False)
    )


def test_nothing_is_kept_of_a_chosen_batch(model):
    before = model.get_weights()
    with batch_statistics(of_batch=True):
        model(pictures(1), training=True)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_recorded_statistics_normalize_other_examples(model):
    support, query = pictures(1), pictures(2)
    with batch_statistics(recording=True) as of_support:
        model(support)
    assert of_support.vector().shape == (2 * 2 + 2 * 3,)
    mean = support.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(of_support.vector()[:2], mean, atol=1e-6)
    with batch_statistics(given=of_support.vector()):
        found = model(query)
    # The same by hand: moving statistics that are those of the support.
    by_hand = keras.models.clone_model(model)
    by_hand.set_weights(model.get_weights())
    vector = of_support.vector().numpy()
    for layer, start, size in ((by_hand.layers[0], 0, 2), (by_hand.layers[2], 4, 3)):
        layer.moving_mean.assign(vector[start : start + size])
        layer.moving_variance.assign(vector[start + size : start + 2 * size])
    np.testing.assert_allclose(found, by_hand(query), atol=1e-5)


def test_gradients_pass_through_recorded_statistics(model):
    support = tf.constant(pictures(1))
    with tf.GradientTape() as tape:
        tape.watch(support)
        with batch_statistics(recording=True) as of_support:
            model(support)
        with batch_statistics(given=of_support.vector()):
            total = tf.reduce_sum(tf.square(model(pictures(2))))
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, support)))) > 0


def test_padded_rows_do_not_count(model):
    x = pictures(1)
    padded = np.concatenate([x, np.full((2, 4, 4, 2), 1e6, "float32")])
    rows = tf.constant([True] * 5 + [False] * 2)
    with batch_statistics(rows=rows, of_batch=True):
        found = model(padded)[:5]
    with batch_statistics(of_batch=True):
        expected = model(x)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_frozen_layer_keeps_its_moving_statistics(model):
    expected = model(pictures(1))
    model.trainable = False
    with batch_statistics(of_batch=True):
        np.testing.assert_array_equal(model(pictures(1)), expected)


def test_given_statistics_stand_alone():
    with (
        pytest.raises(ValueError, match="`given`.*recording=True"),
        batch_statistics(given=tf.zeros([4]), recording=True),
    ):
        pass
