"""Layer augmentation by hand, and the gradients of each row."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners.model_based.augmented_network import AugmentedNetwork
from tfmeta.learners.model_based.cross_entropies import cross_entropies
from tfmeta.learners.model_based.fast_weights import FastWeights, gradient_features
from tfmeta.testing.subject import precision

MAPS, VECTORS = (5, 4, 2), (6,)
WAYS = 3


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


def made(shape):
    network = AugmentedNetwork(shape, WAYS, filters=4, blocks=2, features=5, seed=0)
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(size=w.shape) for w in network.weights])
    return network


def rows(shape, count=3):
    return tf.constant(np.random.default_rng(2).normal(size=(count, *shape)))


def by_hand(network, row, slow, fast):
    """Features and logits of one row, by the operations of TensorFlow."""
    features = outputs = row[None]
    for number, (ours, other) in enumerate(zip(slow, fast, strict=True)):
        if number < network.convolutions:
            made = [
                tf.nn.relu(tf.nn.conv2d(outputs, weights, 1, "SAME"))
                for weights in (ours, other)
            ]
            outputs = tf.nn.max_pool2d(made[0] + made[1], 2, 2, "SAME")
            continue
        outputs = tf.reshape(outputs, [1, -1])
        made = [outputs @ weights for weights in (ours, other)]
        if number == len(slow) - 1:
            return features[0], (made[0] + made[1])[0]
        features = outputs = tf.nn.relu(made[0]) + tf.nn.relu(made[1])


@pytest.mark.parametrize("shape", [MAPS, VECTORS])
def test_each_layer_adds_what_fast_weights_make_of_its_input(shape):
    network, given = made(shape), rows(shape)
    rng = np.random.default_rng(3)
    fast = [tf.constant(rng.normal(size=(3, size))) for size in network.sizes]
    slow = [w.value for w in network.slow]
    features, logits = network(given, fast)
    without_last, _ = network(given, fast[:-1])
    np.testing.assert_array_equal(without_last, features)
    for n in range(3):
        own = [
            tf.reshape(weights[n], w.shape)
            for weights, w in zip(fast, slow, strict=True)
        ]
        wanted = by_hand(network, given[n], slow, own)
        np.testing.assert_allclose(features[n], wanted[0], rtol=1e-10)
        np.testing.assert_allclose(logits[n], wanted[1], rtol=1e-10)


@pytest.mark.parametrize("shape", [MAPS, VECTORS])
def test_gradients_of_a_row_are_those_of_a_tape_for_it_alone(shape):
    network, given = made(shape), rows(shape)
    labels = tf.constant([[0.0, 1, 0], [0, 0, 0], [0, 0, 1]], tf.float64)
    found = network.example_gradients(given, labels)
    slow = [w.value for w in network.slow]
    nothing = [tf.zeros_like(weights) for weights in slow]
    for n in range(3):
        with tf.GradientTape() as tape:
            tape.watch(slow)
            _, logits = by_hand(network, given[n], slow, nothing)
            loss = -tf.reduce_sum(labels[n] * tf.nn.log_softmax(logits))
        wanted = tape.gradient(loss, slow)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(
                one[n], tf.reshape(other, [-1]), rtol=1e-9, atol=1e-12
            )
    # A row of no label has none.
    assert all(not np.any(gradient[1]) for gradient in found)
    assert all(np.any(gradient) for gradient in found)


def test_no_derivative_is_taken_of_gradients():
    network, given = made(VECTORS), rows(VECTORS)
    with tf.GradientTape() as tape:
        found = network.example_gradients(given, tf.eye(3, dtype=tf.float64))
        total = tf.add_n([tf.reduce_sum(gradient**2) for gradient in found])
    assert tape.gradient(total, [w.value for w in network.slow]) == [None] * 3


def test_a_row_without_a_label_costs_nothing_and_moves_nothing():
    logits = tf.constant([[1.0, -2.0, 0.5], [3.0, 0.0, -1.0]])
    labels = tf.constant([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = cross_entropies(labels, logits)
    wanted = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    gradient = tape.gradient(found, logits).numpy()
    assert not gradient[0].any() and gradient[1].any()


def test_features_of_gradients_of_all_magnitudes_are_about_one():
    given = np.array([0.0, 1e-30, -1e-4, 1e-3, -0.5, 1.0, 300.0])
    found = gradient_features(tf.constant(given)).numpy()
    assert found.shape == (7, 2)
    np.testing.assert_array_equal(np.sign(found[:, 1]), np.sign(given))
    np.testing.assert_allclose(found[:2, 0], -1)
    # From e^-7 on a sign is 1, and a magnitude tells them apart.
    np.testing.assert_array_equal(np.abs(found[3:, 1]), 1)
    np.testing.assert_allclose(found[3:, 0], np.log(np.abs(given[3:])) / 7)
    assert abs(found[2, 1] + 1e-4 * np.exp(7)) < 1e-12
    spoiled = gradient_features(tf.constant([np.nan, np.inf, -np.inf, 1.0])).numpy()
    assert np.isnan(spoiled[:3]).all() and np.isfinite(spoiled[3]).all()


@pytest.mark.parametrize("over_examples", [False, True])
def test_a_coordinate_is_generated_as_if_it_were_alone(over_examples):
    layer = FastWeights(over_examples=over_examples, units=3, seed=0)
    gradients = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 5)))
    real = tf.sequence_mask([4, 2], 4)
    whole = layer(gradients, real)
    for n in range(5):
        alone = layer(gradients[:, :, n : n + 1], real)
        np.testing.assert_allclose(whole[..., n : n + 1], alone, rtol=1e-12)
    if over_examples:
        # Rows that are not real are not read.
        fewer = layer(gradients[1:, :2], real[1:, :2])
        np.testing.assert_allclose(whole[1:], fewer, rtol=1e-12)
        other = layer(gradients[:1, ::-1], real[:1])
        assert np.abs(other - whole[:1]).max() > 1e-6
    assert layer.from_config(layer.get_config()).get_config() == layer.get_config()
