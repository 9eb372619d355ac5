"""Scores against the joined maps of the paper, in plain NumPy."""

import keras
import numpy as np
import pytest
import relation_by_hand
import tensorflow as tf

from tfmeta.learners.metric_based.relation_module import RelationModule


def make_module(map_shape, seed=0, dtype="float64"):
    module = RelationModule(map_shape, filters=3, units=4, seed=seed, dtype=dtype)
    rng = np.random.default_rng(1)
    shapes = [w.shape for w in module.weights]
    module.set_weights([rng.uniform(-0.2, 0.6, size=shape) for shape in shapes])
    for layer in module.pair_layers:
        if layer.name.startswith("batch"):
            layer.moving_variance.assign(rng.uniform(0.5, 2, size=3))
    return module


def make_maps(map_shape):
    rng = np.random.default_rng(2)
    return (
        rng.normal(size=(2, 3, *map_shape)),
        rng.normal(size=(2, 4, *map_shape)),
    )


def expected_scores(module, classes, queries, real, training):
    """Zero for pairs that are not real."""
    scores = np.zeros(real.shape)
    task, query, way = np.nonzero(real)
    scores[real] = relation_by_hand.scores_of_pairs(
        module, classes[task, way], queries[task, query], training=training
    )
    return scores


# Room for two poolings, an odd side, one pooling, and none.
@pytest.mark.parametrize(
    "map_shape", [(4, 4, 2), (5, 7, 3), (2, 3, 2), (1, 4, 2)], ids=str
)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_scores(map_shape, masked, training):
    module = make_module(map_shape)
    classes, queries = make_maps(map_shape)
    real = np.ones((2, 4, 3), bool)
    if masked:
        real = np.random.default_rng(3).random(real.shape) < 0.6
        # What is not real would be seen.
        queries[1, 2] = np.where(real[1, 2].any(), queries[1, 2], np.nan)
    expected = expected_scores(module, classes, queries, real, training)
    found = module(classes, queries, real if masked else None, training=training)
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_moving_statistics_see_real_pairs_alone():
    classes, queries = make_maps((4, 4, 2))
    real = np.zeros((2, 4, 3), bool)
    real[0, :2, :2] = True
    full, part = make_module((4, 4, 2)), make_module((4, 4, 2))
    full(classes[:1, :2], queries[:1, :2], training=True)
    part(classes, queries, real, training=True)
    for ours, theirs in zip(full.weights, part.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("nothing", ["queries", "pairs"])
def test_nothing_to_compare(nothing, training):
    """Pooling a batch without rows by oneDNN would end the process."""
    module = make_module((4, 4, 2), dtype="float32")
    before = module.get_weights()
    classes, queries = (m.astype("float32") for m in make_maps((4, 4, 2)))
    real = np.zeros((2, 4, 3), bool)
    if nothing == "queries":
        queries, real = queries[:, :0], None
    with tf.GradientTape() as tape:
        scores = module(classes, queries, real, training=training)
        loss = tf.reduce_sum(scores)
    assert scores.shape == (2, 0 if nothing == "queries" else 4, 3)
    np.testing.assert_array_equal(scores, np.zeros(scores.shape))
    gradients = tape.gradient(loss, [v.value for v in module.trainable_variables])
    assert gradients == [None] * len(gradients)
    for ours, theirs in zip(before, module.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_glorot_of_joined_maps():
    module = RelationModule((4, 4, 64), seed=0)
    kernels = [
        layer.kernel.numpy()
        for layer in (module.class_convolution, module.query_convolution)
    ]
    limit = np.sqrt(6 / (9 * 128 + 9 * 64))
    for kernel in kernels:
        assert kernel.shape == (3, 3, 64, 64)
        assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert not np.array_equal(*kernels)


def test_seed():
    first, same, other = (
        RelationModule((4, 4, 2), filters=3, seed=seed).get_weights()
        for seed in (0, 0, 1)
    )
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


def test_mixed_precision():
    module = make_module((5, 5, 4), dtype="mixed_bfloat16")
    reference = make_module((5, 5, 4))
    classes, queries = make_maps((5, 5, 4))
    scores = module(classes, queries)
    assert scores.dtype == tf.float32
    assert {v.dtype for v in module.variables} == {"float32"}
    expected = reference(classes, queries).numpy()
    # Two blocks of rounding to 8 bits.
    assert np.abs(scores - expected).max() < 0.05 * np.abs(expected).max()


def test_config():
    module = make_module((5, 4, 2))
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(module)
    )
    assert again.get_config() == module.get_config()
    assert [w.path for w in again.weights] == [w.path for w in module.weights]
    again.set_weights(module.get_weights())
    classes, queries = make_maps((5, 4, 2))
    np.testing.assert_array_equal(again(classes, queries), module(classes, queries))
