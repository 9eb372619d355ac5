"""Attention over the support, derived once more in NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import distances
from tfmeta.learners import MatchingNetwork

NAMES = ("cosine", "squared_euclidean", "euclidean")


def make_learner(dtype="float64", **options):
    encoder = keras.Sequential(
        [
            keras.Input((3, 2), dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(5, "tanh", dtype=dtype),
        ]
    )
    rng = np.random.default_rng(1)
    encoder.set_weights([rng.normal(size=w.shape) for w in encoder.weights])
    return MatchingNetwork(encoder, dtype=dtype, **options)


def make_inputs(tasks=2, support=9, queries=4, ways=3):
    """Episodes whose classes have unequal shots."""
    rng = np.random.default_rng(2)
    labels = np.concatenate([np.arange(ways), rng.integers(0, ways, support - ways)])
    labels = np.stack([rng.permutation(labels) for _ in range(tasks)])
    return (
        rng.normal(size=(tasks, support, 3, 2)).astype("float32"),
        labels,
        rng.normal(size=(tasks, queries, 3, 2)).astype("float32"),
    )


def one_hot(labels, ways):
    return np.eye(ways, dtype="float32")[labels]


def embed(learner, examples):
    kernel, bias = learner.encoder.get_weights()
    flat = examples.astype("float64").reshape(*examples.shape[:2], -1)
    return np.tanh(flat @ kernel + bias)


def similarity(distance, a, b):
    if distance == "squared_euclidean":
        return -np.sum((a - b) ** 2)
    if distance == "euclidean":
        return -np.linalg.norm(a - b)
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def probabilities_by_hand(distance, temperature, support, labels, query, ways, real):
    """Of embeddings: one query, one support example at a time."""
    probabilities = np.zeros((*query.shape[:2], ways))
    for task, i in itertools.product(*map(range, query.shape[:2])):
        rows = np.flatnonzero(real[task])
        attention = np.exp(
            [
                similarity(distance, query[task, i], support[task, row]) / temperature
                for row in rows
            ]
        )
        attention /= attention.sum()
        for row, share in zip(rows, attention, strict=True):
            probabilities[task, i, labels[task, row]] += share
    return probabilities


@pytest.mark.parametrize("learn_temperature", [False, True])
@pytest.mark.parametrize("distance", NAMES)
def test_probabilities(distance, learn_temperature):
    learner = make_learner(
        distance=distance, temperature=0.3, learn_temperature=learn_temperature
    )
    support, labels, query = make_inputs(support=10)
    real = np.random.default_rng(3).random(labels.shape) < 0.7
    # Task 0 loses all support of class 1; the fourth way is absent from all tasks.
    real[0] &= labels[0] != 1
    state = learner.adapt(support, one_hot(labels, 4), support_mask=real)
    logits = learner.predict_query(state, query)
    expected = probabilities_by_hand(
        distance,
        0.3,
        embed(learner, support),
        labels,
        embed(learner, query),
        4,
        real,
    )
    assert logits.dtype == tf.float64
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-11, atol=0)
    np.testing.assert_allclose(np.exp(logits).sum(-1), 1, rtol=1e-12)
    assert np.isneginf(logits.numpy()[0, :, [1, 3]]).all()


def test_another_temperature_can_be_learned():
    learner = make_learner(temperature=2.0, learn_temperature=True)
    fixed = make_learner(temperature=0.5)
    support, labels, query = make_inputs()
    assert len(fixed.weights) == 2
    weight = learner.log_temperature
    assert any(weight is trained for trained in learner.trainable_variables)
    assert weight.shape == ()
    assert abs(float(weight.numpy()) - np.log(2.0)) < 1e-12
    weight.assign(np.log(0.5))
    logits = [
        m.predict_query(m.adapt(support, one_hot(labels, 3)), query)
        for m in (learner, fixed)
    ]
    np.testing.assert_allclose(*logits, rtol=1e-12)


def test_attention_that_leaves_classes_without_any_stays_finite():
    """exp(-1000) is 0: the logarithm must be taken before it."""
    learner = make_learner("float32", temperature=1e-3, learn_temperature=True)
    learner.compile(keras.optimizers.SGD(1.0))
    support, labels, query = make_inputs()
    inputs = {
        "support": support,
        "support_labels": one_hot(labels, 4),
        "query": query,
    }
    logits = learner(inputs).numpy()
    assert logits[..., :3].min() < -150
    assert np.isfinite(logits[..., :3]).all()
    logs = learner.train_on_batch(inputs, np.zeros((2, 4), "int32"), return_dict=True)
    assert np.isfinite(logs["loss"])
    assert all(np.isfinite(w).all() for w in learner.get_weights())


@pytest.mark.parametrize("full_context", [False, True])
def test_a_task_without_support_stays_finite(full_context):
    learner = make_learner(full_context=full_context, seed=0)
    learner.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    support, labels, query = make_inputs()
    real = np.ones(labels.shape, bool)
    real[1] = False
    inputs = {
        "support": support,
        "support_labels": one_hot(labels, 3),
        "query": query,
        "support_mask": real,
        "query_mask": np.array([[True] * 4, [False] * 4]),
    }
    assert np.isneginf(learner(inputs).numpy()[1]).all()
    weight = inputs["query_mask"].astype("float32")
    y = np.zeros((2, 4), "int32")
    learner.train_on_batch(inputs, y, weight)
    assert all(np.isfinite(w).all() for w in learner.get_weights())


@pytest.mark.parametrize("full_context", [False, True])
def test_neither_the_order_of_the_support_nor_of_the_classes_counts(full_context):
    learner = make_learner(full_context=full_context, seed=0)
    support, labels, query = make_inputs()
    rng = np.random.default_rng(5)
    rows, classes = rng.permutation(9), rng.permutation(3)
    logits = learner.predict_query(
        learner.adapt(support, one_hot(labels, 3)), query
    ).numpy()
    moved = learner.predict_query(
        learner.adapt(support[:, rows], one_hot(labels, 3)[:, rows][..., classes]),
        query[:, ::-1],
    )
    np.testing.assert_allclose(moved, logits[:, ::-1][..., classes], rtol=1e-10)


def test_several_kinds_of_one_class_are_not_averaged():
    """Class 0 lies on two opposite sides, class 1 near their mean."""
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    learner = MatchingNetwork(encoder, "squared_euclidean", temperature=1.0)
    support = np.array([[[-4, 0], [4, 0], [0, 1]]], "float32")
    labels = one_hot(np.array([[0, 0, 1]]), 2)
    query = np.array([[[-4, 0.1], [4, 0.1], [0, 0.9]]], "float32")
    logits = learner.predict_query(learner.adapt(support, labels), query)
    np.testing.assert_array_equal(tf.argmax(logits, -1), [[0, 0, 1]])


def test_half_precision_is_compared_in_float32():
    encoder = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, dtype="mixed_bfloat16")]
    )
    learner = MatchingNetwork(
        encoder, full_context=True, steps=2, seed=0, dtype="mixed_bfloat16"
    )
    assert learner.encoder.compute_dtype == "float32"
    assert learner.context.forward.compute_dtype == "float32"
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(2, 1, 3, 4)).astype("float32")
    state = learner.adapt(support, np.eye(3, dtype="float32")[None])
    assert state["embeddings"].dtype == tf.float32
    assert learner.predict_query(state, query).dtype == tf.float32


def test_config_names_every_argument():
    options = {
        "temperature": 0.5,
        "learn_temperature": True,
        "full_context": True,
        "steps": 2,
        "seed": 4,
    }
    learner = make_learner(distance=distances.Euclidean(), **options)
    config = learner.get_config()
    assert {name: config[name] for name in options} == options
    again = MatchingNetwork.from_config(config)
    assert type(again.distance) is distances.Euclidean
    assert [w.shape for w in again.weights] == [w.shape for w in learner.weights]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "`temperature` must be above 0.*temperature=0"),
        ({"temperature": float("inf")}, "`temperature`.*finite.*temperature=inf"),
        ({"steps": 0}, "`steps` must be an int of at least 1.*steps=0"),
        ({"steps": 1.5}, "`steps` must be an int.*steps=1.5"),
        ({"distance": "manhattan"}, "`distance` must be one of.*'manhattan'"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_learner(**options)


def test_encoder_must_give_vectors():
    inputs = keras.Input((8, 8, 1))
    encoder = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match=r"vectors.*Received:.*\(None, 6, 6, 2\)"):
        MatchingNetwork(encoder)
