"""Learners that go on from a state, and those that refuse one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import learners
from tfmeta.testing.subject import precision

WAYS = 3


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


def encoder():
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(
                4, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1)
            ),
            tfmeta.layers.BatchNormalization(),
        ]
    )


def batch(ways=range(WAYS), seed=0, padded=False):
    """Support, labels and mask of two tasks with two shots of some ways."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.eye(WAYS)[np.repeat(list(ways), 2)], (2, 1, 1))
    mask = np.ones(labels.shape[:2], bool)
    mask[1, -1] = not padded
    support = rng.normal(size=(*labels.shape[:2], 8))
    return tf.constant(support), tf.constant(labels), tf.constant(mask)


def adapt(learner, steps, data, state=None):
    learner.test_inner_steps = steps
    support, labels, mask = data
    return learner.adapt(support, labels, support_mask=mask, state=state)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (learners.MAML, {"batch_normalization": "running"}),
        (learners.MAML, {"head": "prototypes"}),
        (learners.MAML, {"vectorize_tasks": True}),
        (learners.ANIL, {}),
        (learners.MetaSGD, {"batch_normalization": "support"}),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "-".join(value) or "plain",
)
def test_two_steps_and_three_more_are_five(kind, options):
    ways = None if "head" in options else WAYS
    learner = kind(encoder(), ways, inner_learning_rate=0.3, seed=0, **options)
    data = batch(padded=True)
    two = adapt(learner, 2, data)

    def go_on(state):
        return adapt(learner, 3, data, state)

    # Only a graph is vectorized.
    again = tf.function(go_on)(two) if "vectorize_tasks" in options else go_on(two)
    five = adapt(learner, 5, data)
    assert list(again) == list(five)
    for name, values in five.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-12, atol=1e-14)
    assert not np.allclose(two["head_kernel"], five["head_kernel"], rtol=1e-3)


@pytest.mark.parametrize(
    "kind", [learners.MAMLPlusPlus, learners.Reptile, learners.LSTMMetaLearner]
)
def test_other_rules_begin_anew_from_the_weights_of_a_state(kind):
    learner = kind(encoder(), WAYS, inner_steps=2, seed=0)
    first, other = batch(), batch(seed=1)
    state = adapt(learner, 2, first)
    there = adapt(learner, 2, other, state)
    # Where tasks start from what the state holds, they learn the same.
    for task in range(2):
        values = [state[name][task] for name in learner.adapted_names()]
        starts = [
            *learner.network.adapted_encoder_variables,
            *learner.head_layer.weights,
        ]
        for variable, value in zip(starts, values, strict=True):
            variable.assign(value)
        anew = adapt(learner, 2, other)
        for name in there:
            np.testing.assert_allclose(
                there[name][task], anew[name][task], rtol=1e-12, atol=1e-14
            )


def test_ways_of_before_stay_present():
    learner = learners.MAML(encoder(), WAYS, inner_learning_rate=0.3, seed=0)
    state = adapt(learner, 1, batch(ways=[0]))
    state = adapt(learner, 1, batch(ways=[2]), state)
    np.testing.assert_array_equal(state["present"], [[True, False, True]] * 2)
    logits = learner.predict_query(state, batch()[0])
    np.testing.assert_array_equal(np.isfinite(logits[0, 0]), [True, False, True])


def others():
    """Makers of the learners without an inner loop."""

    def plain():
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])

    def maps():
        return keras.Sequential([keras.Input((8,)), keras.layers.Reshape((2, 2, 2))])

    return [
        lambda: learners.Baseline(plain(), 3),
        lambda: learners.BaselinePlusPlus(plain(), 3),
        lambda: learners.GaussianPrototypicalNetwork(plain()),
        lambda: learners.MatchingNetwork(plain()),
        lambda: learners.PrototypicalNetwork(plain()),
        lambda: learners.RelationNetwork(maps()),
        lambda: learners.SemiSupervisedPrototypicalNetwork(plain()),
        lambda: learners.SiameseNetwork(plain()),
        lambda: learners.SimpleShot(plain()),
        lambda: learners.LogisticRegression(plain()),
        lambda: learners.ZeroShotPrototypicalNetwork(plain(), plain()),
    ]


def test_a_learner_without_an_inner_loop_refuses_a_state_in_one_line():
    support, labels = np.zeros((1, 3, 8), "float32"), np.eye(3, dtype="float32")[None]
    seen = set()
    for make in others():
        learner = make()
        seen.add(type(learner).__name__)
        with pytest.raises(ValueError, match="`state` must be None") as raised:
            learner.adapt(support, labels, state={"weights": tf.zeros([1, 2])})
        assert type(learner).__name__ in str(raised.value)
        assert "\n" not in str(raised.value)
        assert str(raised.value).endswith("Received: a state of weights")
    families = {"GradientBasedLearner", "FewShotLearner", "EmbeddingLearner"}
    # Goes on as the one inside does.
    families |= {"StandardizedLearner", "MemoryLearner", "SequenceLearner"}
    adapting = {
        name
        for name in learners.__all__
        if isinstance(kind := getattr(learners, name), type)
        # tests/learners/model_based is of those with a memory.
        and issubclass(kind, learners.GradientBasedLearner | learners.MemoryLearner)
    }
    classes = {n for n in learners.__all__ if isinstance(getattr(learners, n), type)}
    assert seen == classes - adapting - families
