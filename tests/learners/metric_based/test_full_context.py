"""The bidirectional and the attending LSTM, step by step in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners.metric_based.full_context import FullContext

FEATURES = 4


@pytest.fixture
def layer():
    layer = FullContext(FEATURES, steps=3, seed=0, dtype="float64")
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


@pytest.fixture
def support():
    """Two tasks of six rows, the last two of the second padded."""
    rows = np.random.default_rng(2).normal(size=(2, 6, FEATURES))
    real = np.ones((2, 6), bool)
    real[1, 4:] = False
    return tf.constant(rows), tf.constant(real)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, hidden, cell, weights):
    """One step; Keras stacks the input, forget, cell and output gates."""
    kernel, recurrent, bias = weights
    gates = np.split(x @ kernel + hidden @ recurrent + bias, 4)
    enter, forget, new, leave = gates
    cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
    return sigmoid(leave) * np.tanh(cell), cell


def read_in_order(rows, weights):
    hidden = cell = np.zeros(FEATURES)
    out = []
    for row in rows:
        hidden, cell = lstm(row, hidden, cell, weights)
        out.append(hidden)
    return np.array(out)


def support_by_hand(rows, layer):
    forward = read_in_order(rows, layer.forward.get_weights())
    backward = read_in_order(rows[::-1], layer.backward.get_weights())[::-1]
    return rows + forward + backward


def query_by_hand(query, support, layer):
    # The cell's input weights are those of the query, then those of the read.
    kernel, recurrent, bias = layer.reader.get_weights()
    hidden = cell = np.zeros(FEATURES)
    for _ in range(layer.steps):
        attention = np.exp(support @ hidden)
        read = attention / attention.sum() @ support
        # The paper's form: one matrix on [h, r].
        state = np.concatenate([hidden, read])
        on_state = np.concatenate([recurrent, kernel[FEATURES:]])
        out, cell = lstm(query, state, cell, (kernel[:FEATURES], on_state, bias))
        hidden = out + query
    return hidden


def test_support(layer, support):
    rows, real = support
    found = layer.embed_support(rows, real).numpy()
    np.testing.assert_allclose(found[0], support_by_hand(rows[0].numpy(), layer))
    np.testing.assert_allclose(
        found[1, :4], support_by_hand(rows[1, :4].numpy(), layer)
    )


def test_query(layer, support):
    rows, real = support
    queries = np.random.default_rng(3).normal(size=(2, 5, FEATURES))
    found = layer.embed_query(tf.constant(queries), rows, real).numpy()
    for task, count in enumerate((6, 4)):
        for i, query in enumerate(queries[task]):
            expected = query_by_hand(query, rows[task, :count].numpy(), layer)
            np.testing.assert_allclose(found[task, i], expected, rtol=1e-10)


def test_padding_changes_nothing(layer, support):
    rows, real = support
    queries = tf.constant(np.random.default_rng(3).normal(size=(2, 5, FEATURES)))
    garbage = tf.where(real[..., None], rows, 1e6)
    both = []
    for given in (rows, garbage):
        embedded = layer.embed_support(given, real)
        both.append((embedded[real], layer.embed_query(queries, embedded, real)))
    for ours, theirs in zip(*both, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_order_belongs_to_the_rows(layer, support):
    rows, real = support
    order = layer.support_order(rows, real).numpy()
    np.testing.assert_array_equal(np.sort(order, axis=1), [range(6)] * 2)
    np.testing.assert_array_equal(order[1, 4:], [4, 5])
    shuffled = np.random.default_rng(4).permutation(6)
    again = layer.support_order(
        tf.gather(rows, shuffled, axis=1), tf.gather(real, shuffled, axis=1)
    )
    moved = tf.gather(tf.gather(rows, shuffled, axis=1), again, batch_dims=1)
    expected = tf.gather(rows, order, batch_dims=1)
    np.testing.assert_array_equal(moved[0], expected[0])
    np.testing.assert_array_equal(moved[1, :4], expected[1, :4])


def test_rectified_rows_have_an_order_too(layer):
    """Many zeros, and sums that are equal."""
    rows = np.array([np.roll([2.0, 1, 0, 0], shift) for shift in range(4)])[None]
    real = np.ones((1, 4), bool)
    order = layer.support_order(tf.constant(rows), tf.constant(real))
    backwards = layer.support_order(tf.constant(rows[:, ::-1]), tf.constant(real))
    np.testing.assert_array_equal(backwards, 3 - order)


def test_seed():
    first, same, other = (
        FullContext(FEATURES, seed=seed).get_weights() for seed in (0, 0, 1)
    )
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    # The two directions start from numbers of their own.
    assert not np.array_equal(first[0], first[3])


def test_config():
    layer = FullContext(FEATURES, steps=2, seed=7, dtype="float64")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert again.get_config() == layer.get_config()
    for a, b in zip(again.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
