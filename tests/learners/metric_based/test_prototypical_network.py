"""Prototypes and logits, derived once more in NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import distances
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork

NAMES = ("squared_euclidean", "euclidean", "cosine")


def make_learner(distance="squared_euclidean", dtype="float64"):
    encoder = keras.Sequential(
        [
            keras.Input((3, 2), dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(5, "tanh", dtype=dtype),
        ]
    )
    rng = np.random.default_rng(1)
    encoder.set_weights([rng.normal(size=w.shape) for w in encoder.weights])
    return PrototypicalNetwork(encoder, distance, dtype=dtype)


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


def logits_by_hand(learner, distance, support, labels, query, ways, real=None):
    """One query, one class at a time."""
    embedded = embed(learner, support), embed(learner, query)
    logits = np.full((*query.shape[:2], ways), -np.inf)
    if real is None:
        real = np.ones(labels.shape, bool)
    for task, way in itertools.product(range(len(query)), range(ways)):
        rows = embedded[0][task][(labels[task] == way) & real[task]]
        if len(rows):
            for i, vector in enumerate(embedded[1][task]):
                logits[task, i, way] = similarity(distance, vector, rows.mean(0))
    return logits


@pytest.mark.parametrize("distance", NAMES)
def test_logits(distance):
    learner = make_learner(distance)
    support, labels, query = make_inputs()
    state = learner.adapt(support, one_hot(labels, 3))
    logits = learner.predict_query(state, query)
    expected = logits_by_hand(learner, distance, support, labels, query, 3)
    assert logits.dtype == tf.float64
    np.testing.assert_allclose(logits, expected, rtol=1e-11)
    for training in (False, True):
        together = learner.episode_logits(
            {
                "support": support,
                "support_labels": one_hot(labels, 3),
                "query": query,
            },
            training=training,
        )
        np.testing.assert_allclose(together, expected, rtol=1e-11)


@pytest.mark.parametrize("distance", NAMES)
def test_logits_with_masks(distance):
    """Padded rows are labelled, so that only the mask can tell them."""
    learner = make_learner(distance)
    support, labels, query = make_inputs(support=10)
    real = np.random.default_rng(3).random(labels.shape) < 0.7
    # Task 0 loses all support of class 1.
    real[0] &= labels[0] != 1
    query_mask = np.array([[True, True, False, True], [False, True, True, True]])
    # The fourth way is absent from every task.
    state = learner.adapt(support, one_hot(labels, 4), support_mask=real)
    logits = learner.predict_query(state, query, query_mask=query_mask).numpy()
    expected = logits_by_hand(learner, distance, support, labels, query, 4, real)
    np.testing.assert_allclose(logits[query_mask], expected[query_mask], rtol=1e-11)
    assert np.isneginf(logits[0, :, [1, 3]]).all()
    probabilities = tf.nn.softmax(logits)
    assert not probabilities.numpy()[0, :, [1, 3]].any()
    np.testing.assert_array_equal(
        state["present"], (one_hot(labels, 4) * real[..., None]).any(1)
    )


@pytest.mark.parametrize("distance", NAMES)
def test_training_gradient_by_hand(distance):
    """Central differences of the cross-entropy of the NumPy logits."""
    learner = make_learner(distance)
    learner.compile(keras.optimizers.SGD(1.0))
    support, labels, query = make_inputs()
    y = np.array([[0, 1, 2, 1], [2, 0, 1, 0]], "int32")
    weight = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], "float32")
    start = learner.get_weights()

    def loss(weights):
        learner.set_weights(weights)
        logits = logits_by_hand(learner, distance, support, labels, query, 3)
        chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        of_label = np.take_along_axis(chances, y[..., None], -1)[..., 0]
        return -(np.log(of_label) * weight).sum() / weight.sum()

    expected = []
    for k, array in enumerate(start):
        numeric = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [w.copy() for w in start]
                moved[k][place] += step
                ends.append(loss(moved))
            numeric[place] = (ends[0] - ends[1]) / 2e-5
        expected.append(numeric)

    learner.set_weights(start)
    inputs = {
        "support": support,
        "support_labels": one_hot(labels, 3),
        "query": query,
    }
    logs = learner.train_on_batch(inputs, y, weight, return_dict=True)
    learner_gradient = [
        before - after
        for before, after in zip(start, learner.get_weights(), strict=True)
    ]
    for ours, numeric in zip(learner_gradient, expected, strict=True):
        np.testing.assert_allclose(ours, numeric, rtol=1e-6, atol=1e-9)
    assert abs(logs["loss"] - loss(start)) < 1e-6


def test_one_shot_prototypes_are_the_embeddings():
    learner = make_learner()
    support, _, _ = make_inputs(support=3)
    order = np.array([[2, 0, 1], [1, 2, 0]])
    prototypes = learner.adapt(support, one_hot(order, 3))["prototypes"]
    sorted_rows = np.take_along_axis(support, np.argsort(order)[..., None, None], 1)
    np.testing.assert_allclose(prototypes, embed(learner, sorted_rows), rtol=1e-12)


def test_many_half_precision_shots_are_all_counted():
    """A sum in bfloat16 would stop growing after 256 equal terms."""
    encoder = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(
                1, use_bias=False, kernel_initializer="ones", dtype="mixed_bfloat16"
            ),
        ]
    )
    learner = PrototypicalNetwork(encoder, dtype="mixed_bfloat16")
    state = learner.adapt(np.ones((1, 3000, 1), "float32"), np.ones((1, 3000, 1)))
    assert state["prototypes"].dtype == tf.float32
    assert state["prototypes"].numpy() == 1.0


def test_learns_to_ignore_what_does_not_tell_classes_apart():
    """Two coordinates tell the class, six are louder noise."""
    rng = np.random.default_rng(0)

    def table(name, classes):
        centres = rng.normal(size=(classes, 1, 8)) * ([2.0] * 2 + [0.0] * 6)
        noise = rng.normal(size=(classes, 20, 8)) * ([0.2] * 2 + [3.0] * 6)
        labels = [f"{i // 20:03d}" for i in range(classes * 20)]
        examples = (centres + noise).reshape(-1, 8).astype("float32")
        return ClassTable.from_arrays(name, examples, labels)

    train = Episodes(table("train", 40), ways=5, shots=1, queries=5, tasks=8)
    test = Episodes(table("test", 40), ways=5, shots=1, queries=5, tasks=100)
    kernel = keras.initializers.Orthogonal(seed=0)
    encoder = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(8, use_bias=False, kernel_initializer=kernel),
        ]
    )
    learner = PrototypicalNetwork(encoder)
    learner.compile(keras.optimizers.Adam(0.03))
    data = test.as_dataset(steps=1)
    before = learner.evaluate(data, verbose=0, return_dict=True)["accuracy"]
    learner.fit(train.as_dataset(), steps_per_epoch=150, verbose=0, shuffle=False)
    after = learner.evaluate(data, verbose=0, return_dict=True)["accuracy"]
    # Nearest neighbour on the two telling coordinates alone.
    (inputs, y) = test.batch(0)
    support, query = inputs["support"][..., :2], inputs["query"][..., :2]
    gaps = tf.norm(query[:, :, None] - support[:, None], axis=-1)
    best = np.mean(tf.argmin(gaps, -1).numpy() == y)
    assert before < 0.5 < 0.9 * best < after


@pytest.mark.parametrize("distance", [*NAMES, distances.Cosine()])
def test_config_names_the_distance(distance):
    learner = make_learner(distance)
    again = PrototypicalNetwork.from_config(learner.get_config())
    assert type(again.distance) is type(distances.get(distance))
    assert again.compute_dtype == "float64"


def test_encoder_must_give_vectors():
    inputs = keras.Input((8, 8, 1))
    encoder = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match=r"vectors.*Received:.*\(None, 6, 6, 2\)"):
        PrototypicalNetwork(encoder)


def test_unknown_distance_is_refused():
    with pytest.raises(ValueError, match="`distance` must be one of.*'manhattan'"):
        make_learner("manhattan")
