"""Weighted prototypes and distances, derived once more in NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import checks

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.learners import GaussianPrototypicalNetwork, PrototypicalNetwork

COVARIANCES = ("radius", "diagonal")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


PRECISIONS = {
    "softplus": lambda raw: 1 + np.log1p(np.exp(raw)),
    "sigmoid": lambda raw: 1 + sigmoid(raw),
    "wide_sigmoid": lambda raw: 1 + 4 * sigmoid(raw),
}


def identity(outputs, dtype="float64"):
    """An encoder whose output is its input."""
    inputs = keras.Input((outputs,), dtype=dtype)
    return keras.Model(inputs, keras.layers.Identity(dtype=dtype)(inputs))


def make_learner(outputs, *arguments, **options):
    return GaussianPrototypicalNetwork(
        identity(outputs), *arguments, dtype="float64", **options
    )


def make_episode(outputs, tasks=2, support=8, queries=4, ways=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(ways), rng.integers(0, ways, support - ways)])
    labels = np.stack([rng.permutation(labels) for _ in range(tasks)])
    return (
        rng.normal(size=(tasks, support, outputs)),
        labels,
        rng.normal(size=(tasks, queries, outputs)),
    )


def one_hot(labels, ways):
    return np.eye(ways)[labels]


def logits_by_hand(support, labels, query, ways, covariance, precision, real=None):
    """One query and one class at a time, with the whole matrix S."""
    outputs = support.shape[-1]
    features = outputs - 1 if covariance == "radius" else outputs // 2
    real = np.ones(labels.shape, bool) if real is None else real
    logits = np.full((*query.shape[:2], ways), -np.inf)
    for task, way in itertools.product(range(len(query)), range(ways)):
        rows = support[task][(labels[task] == way) & real[task]]
        if not len(rows):
            continue
        x, s = rows[:, :features], PRECISIONS[precision](rows[:, features:])
        s = np.broadcast_to(s, x.shape)
        prototype = (s * x).sum(0) / s.sum(0)
        matrix = np.diag(s.sum(0))
        for i, q in enumerate(query[task]):
            gap = q[:features] - prototype
            logits[task, i, way] = -np.sqrt(gap @ matrix @ gap)
    return logits


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("covariance", "outputs"), [("radius", 4), ("diagonal", 6)])
def test_logits(covariance, precision, outputs):
    learner = make_learner(outputs, covariance, precision)
    support, labels, query = make_episode(outputs)
    # A fourth way, and one of task 0, have no real support.
    real = np.random.default_rng(1).random(labels.shape) < 0.8
    real[0] &= labels[0] != 1
    expected = logits_by_hand(support, labels, query, 4, covariance, precision, real)
    state = learner.adapt(support, one_hot(labels, 4), support_mask=real)
    assert state["precisions"].shape == (2, 4, outputs - learner.features)
    np.testing.assert_allclose(
        learner.predict_query(state, query), expected, rtol=1e-11
    )
    together = learner.episode_logits(
        {
            "support": support,
            "support_labels": one_hot(labels, 4),
            "support_mask": real,
            "query": query,
        }
    )
    np.testing.assert_allclose(together, expected, rtol=1e-11)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_equal_confidence_is_a_prototypical_network(covariance):
    """With one S for all, the distance is a multiple of the plain one."""
    support, labels, query = make_episode(6, support=6)
    labels = np.array([[0, 1, 2, 0, 1, 2]] * 2)
    features = 5 if covariance == "radius" else 3
    support[..., features:] = 0.7
    gaussian = make_learner(6, covariance)
    plain = PrototypicalNetwork(identity(features), "euclidean", dtype="float64")
    ours = gaussian.predict_query(gaussian.adapt(support, one_hot(labels, 3)), query)
    theirs = plain.predict_query(
        plain.adapt(support[..., :features], one_hot(labels, 3)), query[..., :features]
    )
    scale = np.sqrt(2 * PRECISIONS["softplus"](0.7))
    np.testing.assert_allclose(ours, scale * theirs, rtol=1e-11)


def test_a_confident_example_draws_the_prototype():
    learner = make_learner(2)
    support = np.array([[[0.0, 50.0], [1.0, -50.0]]])
    state = learner.adapt(support, np.ones((1, 2, 1)))
    np.testing.assert_allclose(state["precisions"], [[[52.0]]])
    np.testing.assert_allclose(state["prototypes"], [[[1 / 52]]])


def test_what_the_query_is_unsure_of_plays_no_part():
    learner = make_learner(6, "diagonal")
    support, labels, query = make_episode(6)
    state = learner.adapt(support, one_hot(labels, 3))
    other = query.copy()
    other[..., 3:] += 5.0
    np.testing.assert_array_equal(
        learner.predict_query(state, query), learner.predict_query(state, other)
    )


def test_half_precision_is_widened():
    dtype = "mixed_bfloat16"
    inputs = keras.Input((3,))
    learner = GaussianPrototypicalNetwork(
        keras.Model(inputs, keras.layers.Dense(3, dtype=dtype)(inputs)), dtype=dtype
    )
    state = learner.adapt(np.ones((1, 2, 3), "float32"), np.ones((1, 2, 1)))
    assert {p.dtype for p in state.values()} == {tf.float32, tf.bool}
    assert learner.predict_query(state, np.ones((1, 1, 3))).dtype == tf.float32


def make_for_checks(covariance):
    def make(example_shape, ways):
        layers = [keras.Input(example_shape), keras.layers.Flatten()]
        kernel = keras.initializers.GlorotUniform(seed=1)
        layers.append(keras.layers.Dense(6, "tanh", kernel_initializer=kernel))
        return GaussianPrototypicalNetwork(keras.Sequential(layers), covariance)

    return make


@pytest.mark.parametrize("check", checks(()))
@pytest.mark.parametrize("covariance", ["diagonal", "radius"])
def test_keeps_every_habit(covariance, check):
    check(make_for_checks(covariance))


def test_learns_which_examples_to_trust():
    """Every second example is noise, and says so in one coordinate."""
    rng = np.random.default_rng(0)

    def table(name, classes=30, size=20):
        centres = rng.normal(size=(classes, 1, 4))
        damaged = np.arange(size)[None, :, None] % 2
        noise = rng.normal(size=(classes, size, 4)) * (0.1 + 2.5 * damaged)
        examples = np.concatenate(
            [centres + noise, np.broadcast_to(damaged, (classes, size, 1))], axis=-1
        )
        labels = [f"{c:02d}" for c in range(classes) for _ in range(size)]
        examples = examples.reshape(-1, 5).astype("float32")
        return ClassTable.from_arrays(name, examples, labels)

    train = Episodes(table("train"), ways=5, shots=5, queries=5, tasks=4)
    test = Episodes(table("test"), ways=5, shots=5, queries=5, tasks=100)
    # Four features as they are, and the covariance to be learned.
    inputs = keras.Input((5,))
    raw = keras.layers.Dense(1, kernel_initializer="zeros")(inputs)
    encoder = keras.Model(
        inputs, keras.layers.Concatenate()([inputs[:, :4], raw]), name="halves"
    )
    learner = GaussianPrototypicalNetwork(encoder)
    learner.compile(keras.optimizers.Adam(0.1))
    inputs, y = test.batch(0)
    whole = inputs["query"][..., 4] == 0
    before = np.mean((np.argmax(learner(inputs), -1) == y)[whole])
    learner.fit(train.as_dataset(), steps_per_epoch=40, verbose=0, shuffle=False)
    after = np.mean((np.argmax(learner(inputs), -1) == y)[whole])
    kernel = learner.encoder.get_weights()[0][:, 0]
    assert kernel[4] < -1.0  # The damaged are trusted less.
    assert after > before + 0.05, (before, after)


@pytest.mark.parametrize(
    ("outputs", "arguments", "message"),
    [
        (5, ("diagonal",), r"`encoder` must give an even number of.*\(None, 5\)"),
        (1, ("radius",), r"`encoder` must give at least 2.*\(None, 1\)"),
        (4, ("full",), "`covariance` must be one of radius, diagonal.*'full'"),
        (4, ("radius", "exp"), "`precision` must be one of softplus.*'exp'"),
    ],
)
def test_what_cannot_be_split_is_refused(outputs, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_learner(outputs, *arguments)


def test_config():
    learner = make_learner(6, "diagonal", "sigmoid")
    again = GaussianPrototypicalNetwork.from_config(learner.get_config())
    assert (again.covariance, again.precision, again.features) == (
        *("diagonal", "sigmoid"),
        3,
    )
