"""Class means and logits of SimpleShot, derived once more in NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import checks

from tfmeta import distances
from tfmeta.learners import SimpleShot

MEAN = np.array([0.5, 0.2, -0.3, 1.0, 0.0])
TRANSFORMS = pytest.mark.parametrize("transform", ["none", "l2", "centered_l2"])


def make_learner(transform="l2", dtype="float64", **arguments):
    """A learner whose encoder changes nothing."""
    encoder = keras.Sequential(
        [keras.Input((5,), dtype=dtype), keras.layers.Identity(dtype=dtype)]
    )
    if transform == "centered_l2":
        arguments["base_mean"] = MEAN
    return SimpleShot(encoder, transform, dtype=dtype, **arguments)


def make_task(tasks=2, support=9, queries=4, ways=3):
    """Unequal shots of every class."""
    rng = np.random.default_rng(2)
    labels = np.concatenate([np.arange(ways), rng.integers(0, ways, support - ways)])
    labels = np.stack([rng.permutation(labels) for _ in range(tasks)])
    return (
        rng.normal(size=(tasks, support, 5)) + 1,
        labels,
        rng.normal(size=(tasks, queries, 5)) + 1,
    )


def transformed(transform, x):
    if transform == "none":
        return x
    x = x - MEAN if transform == "centered_l2" else x
    return x / np.sqrt(np.sum(x * x))


def value(distance, a, b):
    if distance == "squared_euclidean":
        return -np.sum((a - b) ** 2)
    if distance == "euclidean":
        return -np.sqrt(np.sum((a - b) ** 2))
    return a @ b / np.sqrt((a @ a) * (b @ b))


@TRANSFORMS
@pytest.mark.parametrize("distance", ["squared_euclidean", "euclidean", "cosine"])
def test_logits(transform, distance):
    learner = make_learner(transform, distance=distance, temperature=0.25)
    support, labels, query = make_task()
    state = learner.adapt(support, np.eye(4)[labels])  # The fourth way is absent.
    logits = learner.predict_query(state, query).numpy()
    for task, way in itertools.product(range(2), range(3)):
        rows = [
            transformed(transform, row)
            for row, label in zip(support[task], labels[task], strict=True)
            if label == way
        ]
        mean = np.sum(rows, axis=0) / len(rows)
        for number, row in enumerate(query[task]):
            expected = value(distance, transformed(transform, row), mean) / 0.25
            assert abs(logits[task, number, way] - expected) < 1e-11
    assert np.isneginf(logits[..., 3]).all()


@TRANSFORMS
def test_the_prior_weighs_as_many_shots(transform):
    """`(k · prior + Σ shots) / (k + n)`, of transformed features."""
    learner = make_learner(transform, prior_shots=0.3)
    support, labels, _ = make_task()
    prior = np.random.default_rng(4).normal(size=(2, 4, 5))
    found = learner.adapt(support, np.eye(4)[labels], prior=prior)["prototypes"]
    for task, way in itertools.product(range(2), range(4)):
        rows = [
            transformed(transform, row) for row in support[task][labels[task] == way]
        ]
        of_prior = transformed(transform, prior[task, way])
        expected = (0.3 * of_prior + sum(rows)) / (0.3 + len(rows))
        np.testing.assert_allclose(found[task, way], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 0.06),
        ({"distance": "euclidean"}, 0.03),
        ({"distance": "cosine"}, 0.03),
        ({"transform": "none"}, 1.0),
        ({"transform": "none", "distance": "cosine"}, 0.03),
        ({"temperature": 3.0}, 3.0),
    ],
)
def test_temperatures(arguments, expected):
    transform = arguments.get("transform", "l2")
    distance = arguments.get("distance", "squared_euclidean")
    learner = make_learner(**arguments)
    support, labels, query = make_task()
    found = learner.predict_query(learner.adapt(support, np.eye(3)[labels]), query)
    features = [
        np.apply_along_axis(lambda row: transformed(transform, row), -1, x)
        for x in (support, query)
    ]
    means = np.stack(
        [[features[0][t][labels[t] == w].mean(0) for w in range(3)] for t in range(2)]
    )
    similarity = distances.get(distance).similarity(features[1], means)
    np.testing.assert_allclose(found, similarity / expected, rtol=1e-10)


def test_probabilities_are_neither_uniform_nor_certain():
    """Of classes as far apart as those of a good encoder: cosines .6 and .5."""
    learner = make_learner()
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    shared, own = directions[0], directions[1:]
    support = np.sqrt(0.5) * shared + np.sqrt(0.5) * own[:4]
    query = np.sqrt(0.5) * shared + np.sqrt(0.02) * own[0] + np.sqrt(0.48) * own[3]
    state = learner.adapt(support[None, :3], np.eye(3)[None])
    (chances,) = tf.nn.softmax(learner.predict_query(state, query[None, None])[0])
    assert 0.7 < chances[0] < 0.99


def test_zeros_have_no_direction():
    support, labels, query = make_task()
    support[0, 0], query[0, 0] = 0, 0
    learner = make_learner()
    logits = learner.predict_query(learner.adapt(support, np.eye(3)[labels]), query)
    assert np.isfinite(logits).all()


def test_half_precision_features_are_compared_in_float32():
    encoder = keras.Sequential(
        [keras.Input((5,)), keras.layers.Identity(dtype="mixed_float16")]
    )
    learner = SimpleShot(encoder, dtype="mixed_float16")
    support, labels, query = (np.float32(x) for x in make_task())
    state = learner.adapt(support, np.eye(3, dtype="float32")[labels.astype(int)])
    logits = learner.predict_query(state, query)
    assert logits.dtype == state["prototypes"].dtype == tf.float32


def make_for_checks(transform, distance):
    def make(example_shape, ways):
        encoder = keras.Sequential(
            [
                keras.Input(example_shape),
                keras.layers.Dense(
                    5,
                    "tanh",
                    kernel_initializer=keras.initializers.GlorotUniform(seed=1),
                    bias_initializer="ones",
                ),
            ]
        )
        mean = MEAN if transform == "centered_l2" else None
        return SimpleShot(encoder, transform, distance=distance, base_mean=mean)

    return make


QUICK = {"check_gradient", "check_not_a_number", "check_absent_ways"}


@pytest.mark.parametrize("check", checks(QUICK))
def test_conformance(check):
    check(make_for_checks("centered_l2", "squared_euclidean"))


@pytest.mark.parametrize("check", checks(()))
@pytest.mark.parametrize(
    ("transform", "distance"), [("l2", "cosine"), ("none", "euclidean")]
)
def test_conformance_of_other_settings(transform, distance, check):
    check(make_for_checks(transform, distance))
