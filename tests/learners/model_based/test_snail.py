"""Logits against the whole sequence row by row, and that rows look back alone."""

import causal_by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from sequences import (
    FEATURES,
    WAYS,
    as_they_are,
    check_going_on,
    task,
    with_other_weights,
)

from tfmeta.learners import SNAIL
from tfmeta.learners.model_based.causal_layers import (
    CausalAttention,
    GatedCausalConvolution,
    temporal_convolutions,
)
from tfmeta.testing.subject import precision


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


def made(shots=2, **options):
    learner = SNAIL(as_they_are(), WAYS, shots, seed=0, **options)
    return with_other_weights(learner, scale=0.1)


def present(labels):
    return labels.numpy().any(axis=1)[:, None]


def test_a_query_is_the_last_row_of_the_sequence():
    learner = made(shots=1)
    support, labels = task(4)
    queries = task(1, seed=1)[0]
    found = learner.predict_query(learner.adapt(support, labels), queries)
    wanted = [
        [causal_by_hand.logits(learner, *(x.numpy() for x in one), q) for q in of_task]
        for *one, of_task in zip(support, labels, queries.numpy(), strict=True)
    ]
    wanted = np.where(present(labels), wanted, -np.inf)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_attention_weights_are_those_of_the_last_row():
    learner = made(shots=1)
    support, labels = task(4)
    queries = task(2, seed=1)[0]
    found = learner.attention_weights(learner.adapt(support, labels), queries)
    assert [part.shape for part in found] == [(2, 2, 5)] * 3
    for one in range(2):
        parts = support[one].numpy(), labels[one].numpy()
        for place, query in enumerate(queries[one].numpy()):
            _, wanted = causal_by_hand.last_rows(learner, *parts, query)
            for weights, by_hand in zip(found, wanted, strict=True):
                np.testing.assert_allclose(weights[one, place], by_hand, rtol=1e-9)


def test_an_example_is_classified_as_a_query_behind_those_before_it():
    learner = made(shots=1)
    support, labels = task(3, tasks=1)
    found = learner.sequence_logits(support, labels)[0]
    rows, told = support[0].numpy(), labels[0].numpy()
    for n in range(3):
        wanted = causal_by_hand.logits(learner, rows[:n], told[:n], rows[n])
        np.testing.assert_allclose(found[n], wanted, rtol=1e-9)


def test_rows_that_are_there_never_change_by_those_read_after_them():
    state, whole = check_going_on(made(shots=1), tolerance=1e-11)
    np.testing.assert_array_equal(state["count"], [5, 5])
    np.testing.assert_allclose(
        state["rows"][:, :5], whole["rows"], rtol=1e-11, atol=1e-13
    )


@pytest.mark.exhaustive
def test_padding_in_the_midst_is_no_row():
    learner = made()
    support, labels = task(6)
    queries = task(2, seed=1)[0]
    mask = np.array([[True, False, True] * 2, [False, True, True] * 2])
    state = learner.adapt(
        tf.where(mask[..., None], support, np.nan), labels, support_mask=mask
    )
    found = learner.predict_query(state, queries)
    for one in range(2):
        real = [part[one : one + 1].numpy()[:, mask[one]] for part in (support, labels)]
        alone = learner.predict_query(learner.adapt(*real), queries[one : one + 1])
        np.testing.assert_allclose(found[one], alone[0], rtol=1e-10)


LAYERS = {
    "convolution": lambda: GatedCausalConvolution(3, 2, 2, seed=0),
    "attention": lambda: CausalAttention(3, 2, 2, seed=0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_looks_back_only(name):
    layer = LAYERS[name]()
    with_other_weights(layer)
    rows = tf.constant(np.random.default_rng(0).normal(size=(1, 6, 3)))
    known = tf.range(6)[None]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        found = layer(rows, rows, known)
    # `(row, channel of it, row that is looked at, channel)`.
    slopes = tape.jacobian(found, rows)[0, :, :, 0].numpy()
    looked_at = np.abs(slopes).max(axis=(1, 3)) > 1e-12
    if name == "attention":
        np.testing.assert_array_equal(looked_at, np.tri(6, dtype=bool))
    else:
        np.testing.assert_array_equal(looked_at, np.eye(6) + np.eye(6, k=-2) > 0)


def test_attention_of_a_row_to_itself_and_what_it_knows_is_a_softmax():
    layer = with_other_weights(CausalAttention(3, 2, 2, seed=0))
    rng = np.random.default_rng(0)
    rows, read = (tf.constant(rng.normal(size=(1, n, 3))) for n in (2, 4))
    weights = layer.weights_of(rows, read, tf.constant([[3, 0]])).numpy()[0]
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    assert weights[0, 3] == 0 and (weights[0, [0, 1, 2, 4]] > 0).all()
    np.testing.assert_allclose(weights[1], [0, 0, 0, 0, 1])


@pytest.mark.parametrize(
    ("steps", "dilations"),
    [(2, [1]), (3, [1, 2]), (6, [1, 2, 4]), (8, [1, 2, 4]), (9, [1, 2, 4, 8])],
)
def test_convolutions_see_all_steps(steps, dilations):
    blocks = temporal_convolutions(5, 7, steps, iter(range(9)))
    assert [block.dilation for block in blocks] == dilations
    for n, block in enumerate(blocks):
        assert (block.channels, block.added) == (5 + 7 * n, 7)
    assert sum(dilations) + 1 >= steps


def test_channels_are_those_of_the_paper():
    """Five ways, one shot, embeddings of 64 numbers."""
    inputs = keras.Input((64,))
    learner = SNAIL(keras.Model(inputs, keras.layers.Identity()(inputs)), 5, 1, seed=0)
    attentions = [b for b in learner.blocks if isinstance(b, CausalAttention)]
    assert [b.channels for b in attentions] == [69, 485, 997]
    assert [b.channels + b.added for b in attentions] == [101, 613, 1253]
    assert learner.head.kernel.shape == (1253, 5)


@pytest.mark.exhaustive
def test_the_gradient_of_the_loss_is_that_of_central_differences():
    learner = made(shots=1)
    support, labels = task(3)
    towards = tf.constant(np.random.default_rng(3).normal(size=(2, 3, WAYS)))

    def loss():
        return tf.reduce_sum(learner.sequence_logits(support, labels) * towards)

    with tf.GradientTape() as tape:
        value = loss()
    weights = learner.trainable_variables
    gradients = tape.gradient(value, [w.value for w in weights])
    rng = np.random.default_rng(4)
    directions = [rng.normal(size=w.shape) for w in weights]
    start = learner.get_weights()
    ends = []
    for sign in (1, -1):
        for weight, value, direction in zip(weights, start, directions, strict=True):
            weight.assign(value + sign * 1e-6 * direction)
        ends.append(float(loss()))
    slope = sum(
        float(tf.reduce_sum(gradient * direction))
        for gradient, direction in zip(gradients, directions, strict=True)
    )
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("shots", [0, 1.5, True])
def test_wrong_arguments(shots):
    with pytest.raises(ValueError, match="`shots` must be an int from 1 to 1,048,576"):
        SNAIL(as_they_are((FEATURES,)), WAYS, shots)
