"""The head is scikit-learn's, and its gradient that of the minimum."""

import keras
import numpy as np
import pytest
import sklearn.linear_model
import tensorflow as tf
from conformance import checks

from tfmeta import export
from tfmeta.learners import LogisticRegression


def make_learner(features, dtype="float32", **arguments):
    """A learner whose encoder changes nothing."""
    encoder = keras.Sequential(
        [keras.Input((features,), dtype=dtype), keras.layers.Identity(dtype=dtype)]
    )
    return LogisticRegression(encoder, dtype=dtype, **arguments)


def make_task(shots, features, queries=40, seed=0):
    """Classes that overlap, around a common direction, as the features of pictures."""
    rng = np.random.default_rng(seed)
    ways = len(shots)
    centres = (0.8 * rng.normal(size=(ways, features)) + rng.normal(size=features)) / (
        features**0.5
    )
    labels = np.repeat(np.arange(ways), shots)
    of_query = rng.integers(0, ways, queries)
    support, query = (
        centres[y] + rng.normal(size=(len(y), features)) / features**0.5
        for y in (labels, of_query)
    )
    return support.astype("float32"), labels, query.astype("float32")


def unit(rows):
    rows = rows.astype("float64")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def of_scikit_learn(support, labels, query, strength, weights=None):
    fitted = sklearn.linear_model.LogisticRegression(
        C=strength, tol=1e-8, max_iter=100_000
    ).fit(unit(support), labels, sample_weight=weights)
    return fitted.predict_proba(unit(query))


def probabilities_of(learner, support, one_hot, query, **arguments):
    state = learner.adapt(support[None], one_hot[None], **arguments)
    return tf.nn.softmax(learner.predict_query(state, query[None]))[0].numpy()


@pytest.mark.parametrize(
    ("shots", "features"),
    [
        ([1] * 5, 1280),
        ([5] * 5, 1280),
        ([10] * 20, 256),
        ([10] * 20, 32),
        ([1, 7, 2, 30], 64),
        ([3, 1], 64),
    ],
    ids=["5w1s", "5w5s", "20w10s", "more_rows", "unequal", "two_ways"],
)
@pytest.mark.parametrize("strength", [10.0, 0.1])
def test_the_head_is_that_of_scikit_learn(shots, features, strength):
    learner = make_learner(features, C=strength)
    support, labels, query = make_task(shots, features)
    found = probabilities_of(
        learner, support, np.eye(len(shots), dtype="float32")[labels], query
    )
    expected = of_scikit_learn(support, labels, query, strength)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("strength", [1e-3, 1e5])
def test_the_minimum_is_reached_whatever_the_penalty(strength):
    """The gradient there, by plain NumPy, is 0."""
    learner = make_learner(64, "float64", C=strength)
    support, labels, _ = make_task([1, 7, 2, 30], 64)
    targets = np.eye(4)[labels]
    state = learner.adapt(support[None], targets[None])
    weights, bias = state["weights"][0].numpy(), state["bias"][0].numpy()
    bias = bias - state["centre"][0].numpy() @ weights
    rows = unit(support)
    scores = np.exp(rows @ weights + bias)
    slopes = scores / scores.sum(1, keepdims=True) - targets
    assert np.abs(strength * rows.T @ slopes + weights).max() < 1e-6 * strength
    assert np.abs(slopes.sum(0)).max() < 1e-6
    assert abs(bias.sum()) < 1e-6


def test_rows_weigh_what_they_are_given():
    learner = make_learner(64)
    support, labels, query = make_task([3, 4, 5], 64)
    weights = np.random.default_rng(1).uniform(0.1, 3, len(labels)).astype("float32")
    found = probabilities_of(
        learner, support, np.eye(3, dtype="float32")[labels] * weights[:, None], query
    )
    expected = of_scikit_learn(support, labels, query, 10.0, weights)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_tasks_of_one_batch_are_each_fitted_by_itself():
    """Another number of ways and rows in each, among padding and absent ways."""
    learner = make_learner(64)
    tasks = [make_task(shots, 64, seed=3) for shots in ([1, 1], [2, 5, 1], [9])]
    support = np.full((3, 9, 64), 7.0, "float32")
    one_hot = np.zeros((3, 9, 4), "float32")
    one_hot[..., 3] = 1
    mask = np.zeros((3, 9), bool)
    for number, (rows, labels, _) in enumerate(tasks):
        support[number, : len(rows)] = rows
        one_hot[number, : len(rows)] = np.eye(4)[labels]
        mask[number, : len(rows)] = True
    query = np.stack([query for _, _, query in tasks])
    state = learner.adapt(support, one_hot, support_mask=mask)
    found = tf.nn.softmax(learner.predict_query(state, query)).numpy()
    for number, ways in ((0, 2), (1, 3)):
        expected = of_scikit_learn(*tasks[number], 10.0)
        np.testing.assert_allclose(found[number, :, :ways], expected, atol=1e-5)
        assert not found[number, :, ways:].any()
    # A softmax may miss 1 by a rounding, as it does on some processors.
    only = np.eye(4, dtype="float32")[np.zeros(40, int)]
    np.testing.assert_array_max_ulp(found[2], only, maxulp=1)


def test_alike_rows_and_zeros_have_a_minimum_as_well():
    learner = make_learner(16)
    support, labels, query = make_task([3, 4, 5], 16)
    support[1], support[5:8] = support[0], 0
    found = probabilities_of(
        learner, support, np.eye(3, dtype="float32")[labels], query
    )
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("shots", [1, 2])
def test_classes_of_the_same_rows_are_equally_likely(shots):
    """The fit begins at the minimum, but for rounding."""
    support = np.repeat(np.ones((1, 4), "float32"), 3 * shots, axis=0)
    labels = np.tile(np.arange(3), shots)
    found = probabilities_of(
        make_learner(4), support, np.eye(3, dtype="float32")[labels], support
    )
    np.testing.assert_allclose(found, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_minimum_is_reached_whatever_the_features(scale, offset):
    learner = make_learner(8, "float64", transform="none")
    support, labels, _ = make_task([5, 5, 5], 8)
    support = scale * (support.astype("float64") + offset)
    one_hot = np.eye(3)[labels]
    state = learner.adapt(support[None], one_hot[None])
    logits = learner.predict_query(state, tf.constant(support[None]))
    residuals = 10.0 * (tf.nn.softmax(logits)[0].numpy() - one_hot)
    weights = state["weights"][0].numpy()
    found = -(support - support.mean(0)).T @ residuals
    atol = 1e-4 * np.abs(weights).max()
    np.testing.assert_allclose(found, weights, rtol=0, atol=atol)
    np.testing.assert_allclose(residuals.sum(0), 0, atol=1e-6)


@pytest.mark.parametrize("features", [3, 24])
def test_the_gradient_is_that_of_the_minimum(features):
    """Central differences of a loss after fitting, in either space."""
    learner = make_learner(features, "float64")
    support, labels, query = make_task([2, 3, 4], features, queries=6)
    direction = np.random.default_rng(1).normal(size=support.shape)
    target = np.array([[0, 1, 2, 0, 1, 2]])

    def loss(rows):
        state = learner.adapt(rows[None], np.eye(3)[labels][None])
        logits = learner.predict_query(state, tf.constant(query[None], tf.float64))
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
        )

    rows = tf.constant(support, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        value = loss(rows)
    found = np.sum(tape.gradient(value, rows) * direction)
    ends = [float(loss(rows + step * direction)) for step in (1e-5, -1e-5)]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-5, rtol=1e-6)


def test_it_is_fitted_where_it_is_served(tmp_path):
    learner = make_learner(32)
    support, labels, query = make_task([3, 4, 5], 32)
    served = tf.saved_model.load(export.save(learner, tmp_path))
    found = served.signatures["classify"](
        support=support, support_labels=labels.astype("int32"), query=query
    )["probabilities"]
    expected = of_scikit_learn(support, labels, query, 10.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_precision_policies_fit_in_float64():
    support, labels, query = make_task([3, 4, 5], 32)
    learner = LogisticRegression(make_learner(32).encoder, dtype="mixed_float16")
    state = learner.adapt(support[None], np.eye(3, dtype="float32")[labels][None])
    logits = learner.predict_query(state, query[None])
    assert logits.dtype == state["weights"].dtype == tf.float32
    expected = of_scikit_learn(support, labels, query, 10.0)
    np.testing.assert_allclose(tf.nn.softmax(logits)[0], expected, atol=1e-5)


@pytest.mark.parametrize("strength", [0, -1.0, np.inf, np.nan])
def test_strengths_that_cannot_be_are_refused(strength):
    with pytest.raises(ValueError, match="`C` must be above 0 and finite"):
        make_learner(4, C=strength)


def make_for_checks(example_shape, ways):
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
    return LogisticRegression(encoder)


QUICK = {"check_gradient", "check_not_a_number", "check_padded_training"}


@pytest.mark.parametrize("check", checks(QUICK))
def test_conformance(check):
    check(make_for_checks)
