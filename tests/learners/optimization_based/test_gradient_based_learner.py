"""Heads, statistics and arguments of learners with an inner loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners import MAML, LSTMMetaLearner, PrototypicalNetwork, Reptile
from tfmeta.testing.subject import Subject, precision


@pytest.fixture
def subject(make_maker):
    def subject(name, **arguments):
        return Subject(make_maker(name, **arguments), (8,), False)

    return subject


def test_a_head_of_prototypes_begins_as_a_prototypical_network(subject):
    """Triantafillou 2020: 2p and -|p|^2 give the squared distances."""
    with precision("float64"):
        made = subject("maml", head="prototypes", inner_learning_rate=1e-12)
        learner = made.learner()
        inputs, _ = made.batch()
        logits = learner.predict_query(
            learner.adapt(inputs["support"], inputs["support_labels"]),
            inputs["query"],
        )
        # The same statistics: those of the support and of the queries apart.
        with tfmeta.layers.batch_statistics(of_batch=True):
            for task in range(2):
                plain = PrototypicalNetwork(learner.encoder)
                state = plain.adapt(
                    inputs["support"][task : task + 1],
                    inputs["support_labels"][task : task + 1],
                )
                expected = plain.predict_query(state, inputs["query"][task : task + 1])
                np.testing.assert_allclose(
                    tf.nn.softmax(logits[task]), tf.nn.softmax(expected[0]), atol=1e-9
                )


def test_the_inner_step_of_a_head_by_hand(subject):
    """ANIL on fixed features: softmax regression, in plain NumPy."""
    with precision("float64"):
        made = subject("anil", inner_steps=2, normalized=False)
        learner = made.learner()
        inputs, _ = made.batch()
        state = learner.adapt(inputs["support"], inputs["support_labels"])
        kernel, bias = (v.numpy() for v in learner.head_layer.weights)
        for task in range(2):
            features = learner.encoder(inputs["support"][task]).numpy()
            labels = inputs["support_labels"][task].numpy()
            w, b = kernel, bias
            for _ in range(2):
                logits = features @ w + b
                p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                error = (p - labels) / len(labels)
                w, b = w - 0.1 * features.T @ error, b - 0.1 * error.sum(axis=0)
            np.testing.assert_allclose(state["head_kernel"][task], w, rtol=1e-10)
            np.testing.assert_allclose(state["head_bias"][task], b, atol=1e-12)


@pytest.mark.parametrize("statistics", ["query_batch", "support", "running"])
def test_each_query_alone_is_inductive(statistics, subject):
    with precision("float64"):
        made = subject("maml", batch_normalization=statistics)
        learner = made.learner()
        inputs, _ = made.batch()
        state = learner.adapt(inputs["support"], inputs["support_labels"])
        query = inputs["query"]
        together = learner.predict_each_query(state, query)
        alone = learner.predict_each_query(state, query[:, :1])
        np.testing.assert_allclose(together[:, :1], alone, rtol=1e-10)
        usual = learner.predict_query(state, query)
        equal = np.allclose(together, usual, rtol=1e-10)
    assert learner.transductive == (statistics == "query_batch") == (not equal)


def test_without_batch_normalization_nothing_is_transductive(subject):
    assert not subject("maml", normalized=False).learner().transductive


@pytest.mark.slow
def test_running_statistics_are_kept_in_training(subject):
    for statistics, moves in (("running", True), ("query_batch", False)):
        made = subject("maml", batch_normalization=statistics)
        learner = made.compiled("sgd")
        (layer,) = (
            layer
            for layer in learner.encoder.layers
            if isinstance(layer, tfmeta.layers.BatchNormalization)
        )
        before = layer.moving_mean.numpy()
        learner.train_on_batch(*made.batch())
        assert np.any(before != layer.moving_mean.numpy()) == moves


def test_more_steps_at_test_than_in_training(subject):
    with precision("float64"):
        more, few, many = (
            subject("maml", inner_steps=train, test_inner_steps=test)
            for train, test in ((1, 4), (1, None), (4, None))
        )
        inputs, y = more.batch()
        at_test, of_one, of_four = (
            made.learner()(inputs, training=False).numpy() for made in (more, few, many)
        )
    np.testing.assert_allclose(at_test, of_four, rtol=1e-12)
    assert not np.allclose(at_test, of_one)


@pytest.mark.slow
def test_regression_learns_lines():
    """Lines y = a x have one number to find; the query loss falls with training."""
    rng = np.random.default_rng(0)

    def batch():
        slopes = rng.uniform(-2, 2, (8, 1, 1))
        x = rng.uniform(-1, 1, (8, 15, 1))
        y = (slopes * x).astype("float32")
        x = x.astype("float32")
        support = {"support": x[:, :5], "support_labels": y[:, :5], "query": x[:, 5:]}
        return support, y[:, 5:]

    inputs = keras.Input((1,))
    hidden = keras.layers.Dense(
        16, "tanh", kernel_initializer=keras.initializers.GlorotUniform(0)
    )(inputs)
    learner = MAML(
        keras.Model(inputs, hidden),
        1,
        task="regression",
        inner_learning_rate=0.1,
        seed=0,
    )
    learner.compile(keras.optimizers.Adam(0.01))
    test = batch()
    before = learner.test_on_batch(*test, return_dict=True)
    for _ in range(150):
        learner.train_on_batch(*batch())
    after = learner.test_on_batch(*test, return_dict=True)
    assert set(after) == {"loss", "mean_squared_error"}
    assert after["mean_squared_error"] < 0.2 * before["mean_squared_error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ways": 0}, "`ways`.*at least 2.*ways=0"),
        ({"ways": None}, "`ways`.*head='prototypes'.*ways=None"),
        ({"inner_steps": 0}, "`inner_steps`.*inner_steps=0"),
        ({"test_inner_steps": -1}, "`test_inner_steps`.*-1"),
        ({"head": "cosine"}, "`head`.*linear, prototypes.*'cosine'"),
        ({"batch_normalization": "none"}, "query_batch, support, running.*'none'"),
        ({"task": "ranking"}, "classification, regression.*'ranking'"),
        ({"inner_learning_rate": 0}, "`inner_learning_rate`.*=0"),
        ({"task": "regression", "head": "prototypes"}, "`head` must be 'linear'"),
    ],
)
def test_arguments_are_named_when_refused(arguments, message):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=message):
        MAML(encoder, **{"ways": 3, **arguments})


@pytest.mark.parametrize("kind", [Reptile, LSTMMetaLearner])
def test_heads_that_are_not_learned_are_refused(kind):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="`head` must be 'linear'"):
        kind(encoder, 3, head="prototypes")


def test_other_ways_than_those_of_the_head_are_refused(subject):
    made = subject("maml")
    inputs, _ = made.batch(ways=5)
    with pytest.raises(ValueError, match="must have 3 ways.*Received: 5 ways"):
        made.learner().adapt(inputs["support"], inputs["support_labels"])


def test_xla_is_refused_for_maximum_pooling():
    learner = MAML(tfmeta.encoders.Conv4((16, 16, 1), filters=2), 3)
    with pytest.raises(ValueError, match="maximum pooling"):
        learner.compile(jit_compile=True)
