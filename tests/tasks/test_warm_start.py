"""Training that begins at the networks of the nearest tasks."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from many_tasks import padded, tasks

import tfmeta
from tfmeta.tasks import FeatureStatistics, TaskMetric, TaskNetwork, WarmStart
from tfmeta.tasks.starts import matched_classes, mixed_start, nearest_tasks
from tfmeta.testing import CHECKS

FEATURES, WAYS = 3, 3
NETWORK = TaskNetwork(FEATURES, WAYS, units=(4,), seed=0)


def identity():
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


def known():
    rows, labels = tasks(6, rows=30, seed=1)
    description = FeatureStatistics()(rows, labels)
    metric = TaskMetric.of(description, size=4, units=8, seed=0)
    parameters = NETWORK.fit(rows, labels, steps=50)
    return rows, labels, description, metric, parameters


def warm(count=6, **options):
    rows, labels, description, metric, parameters = known()
    learner = WarmStart(
        identity(),
        NETWORK,
        FeatureStatistics(),
        metric,
        [f"task {n}" for n in range(count)],
        **options,
    )
    learner.set_tasks(
        metric.embed(description)[:count],
        description.of_classes[:count],
        description.present[:count],
        [part.numpy()[:count] for part in parameters],
    )
    return learner, rows, labels, parameters


def test_the_nearest_is_that_of_all_distances():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(5, 4)), rng.normal(size=(9, 4))
    distances, numbers = nearest_tasks(tf.constant(one), tf.constant(other), 3)
    by_hand = np.linalg.norm(one[:, None] - other, axis=-1)
    np.testing.assert_array_equal(numbers, np.argsort(by_hand, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(by_hand, axis=1)[:, :3], rtol=1e-6)


def test_classes_are_matched_by_the_best_assignment():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(2, 4, 5)).astype("float32")
    others = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    ones = np.ones((2, 4), bool)
    found = matched_classes(one, ones, others, np.ones((2, 3, 4), bool)).numpy()

    def directions(prototypes):
        centred = prototypes - prototypes.mean(axis=0)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    for task, near in itertools.product(range(2), range(3)):
        cosines = directions(one[task]) @ directions(others[task, near]).T
        best = max(
            itertools.permutations(range(4)),
            key=lambda order: sum(cosines[w, v] for w, v in enumerate(order)),
        )
        assert tuple(found[task, near]) == best


def test_a_task_whose_classes_have_other_numbers_gets_its_own_head():
    learner, rows, labels, parameters = warm(match="classes", steps=0)
    order = [2, 0, 1]
    state = learner.adapt(rows, labels[:, :, order])
    np.testing.assert_array_equal(state["nearest"][:, 0], np.arange(6))
    for number, part in enumerate(parameters):
        part = part.numpy() if number < 2 else part.numpy()[..., order]
        np.testing.assert_allclose(state[f"parameters_{number}"], part, atol=1e-5)


def test_a_body_alone_has_the_head_of_the_start():
    learner, rows, labels, parameters = warm(match="body", steps=0)
    state = learner.adapt(rows, labels)
    np.testing.assert_allclose(state["parameters_0"], parameters[0], atol=1e-5)
    assert not np.any(state["parameters_2"]) and not np.any(state["parameters_3"])


def test_one_that_was_learned_has_its_own_head():
    rng = np.random.default_rng(0)
    weights = np.full((2, 3), 1 / 3, "float32")
    parts = tuple(
        tf.constant(rng.normal(size=(2, 3, *shape)), tf.float32)
        for shape in NETWORK.shapes
    )
    learned = [rng.normal(size=shape) for shape in NETWORK.shapes]
    plain = NETWORK.starting_at(learned).started(2)
    found = mixed_start(parts, tf.constant(weights), None, plain)
    assert len(found) == len(parts)
    np.testing.assert_allclose(found[0], np.mean(parts[0], axis=1), rtol=1e-5)
    for task in range(2):
        np.testing.assert_allclose(found[2][task], learned[2], rtol=1e-6)


def test_a_mixture_is_a_weighted_mean():
    rng = np.random.default_rng(0)
    parts = tuple(
        tf.constant(rng.normal(size=(2, 3, *shape)), tf.float32)
        for shape in NETWORK.shapes
    )
    weights = np.array([[0.5, 0.3, 0.2], [1, 0, 0]], "float32")
    classes = np.stack([rng.permutation(3) for _ in range(6)]).reshape(2, 3, 3)
    by_hand = [part.numpy() for part in parts]
    found = mixed_start(
        parts,
        tf.constant(weights),
        tf.constant(classes, tf.int32),
        NETWORK.started(2),
    )
    for task in range(2):
        body = sum(weights[task, n] * by_hand[0][task, n] for n in range(3))
        np.testing.assert_allclose(found[0][task], body, rtol=1e-5)
        head = sum(
            weights[task, n] * by_hand[2][task, n][:, classes[task, n]]
            for n in range(3)
        )
        np.testing.assert_allclose(found[2][task], head, rtol=1e-5, atol=1e-6)


def test_steps_are_those_of_the_network():
    learner, rows, labels, parameters = warm(match="body", steps=5, learning_rate=0.02)
    state = learner.adapt(rows, labels)
    start = [parameters[0], parameters[1]]
    start += [np.zeros((6, *shape), "float32") for shape in NETWORK.shapes[-2:]]
    by_hand = NETWORK.fit(rows, labels, steps=5, learning_rate=0.02, start=start)
    for number, part in enumerate(by_hand):
        np.testing.assert_allclose(state[f"parameters_{number}"], part, atol=2e-5)
    logits = learner.predict_query(state, rows)
    np.testing.assert_allclose(logits, NETWORK(by_hand, rows), atol=1e-4)


def test_far_from_all_it_starts_plain_and_says_so():
    learner, rows, labels, _ = warm(threshold=1e-6, steps=0, neighbours=3)
    far, of_far = tasks(2, rows=30, seed=9)
    together = np.concatenate([rows[:1], far])
    state = learner.adapt(together, np.concatenate([labels[:1], of_far]))
    assert state["warm"].numpy().tolist() == [True, False, False]
    np.testing.assert_allclose(state["parameters_0"][1], NETWORK.start()[0])
    # Others, beyond the threshold, have no part in the mixture of the first.
    near, *_ = warm(steps=0, neighbours=1)
    alone = near.adapt(rows[:1], labels[:1])
    np.testing.assert_allclose(state["parameters_0"][0], alone["parameters_0"][0])


def test_without_known_tasks_it_is_the_plain_network():
    learner, rows, labels, _ = warm(0)
    state = learner.adapt(rows, labels)
    by_hand = NETWORK.fit(rows, labels, steps=20)
    np.testing.assert_allclose(state["parameters_0"], by_hand[0], atol=1e-5)
    assert not np.any(state["warm"])


def test_padding_plays_no_part():
    learner, rows, labels, _ = warm(neighbours=2, match="classes")
    more, of_more = padded(rows, labels)
    one, other = learner.adapt(rows, labels), learner.adapt(more, of_more)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-5)


def test_it_is_saved_and_served_with_what_it_knows(tmp_path):
    learner, rows, labels, _ = warm(neighbours=2, match="classes", threshold=2.0)
    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    assert again.names == learner.names
    logits = learner.predict_query(learner.adapt(rows, labels), rows)
    same = again.predict_query(again.adapt(rows, labels), rows)
    np.testing.assert_allclose(same, logits, atol=1e-6)
    folder = tfmeta.export.save(learner, tmp_path / "served")
    served = tf.saved_model.load(folder).signatures["classify"]
    numbers = tf.constant(labels[0].argmax(axis=1), tf.int32)
    found = served(
        support=tf.constant(rows[0]), support_labels=numbers, query=tf.constant(rows[0])
    )
    np.testing.assert_allclose(found["logits"], logits[0], atol=1e-4)


def make(example_shape, ways):
    """One that knows some tasks, and whose own are linear: gradients are compared."""
    encoder = keras.Sequential(
        [
            keras.Input(example_shape),
            keras.layers.Dense(
                FEATURES, "tanh", kernel_initializer=keras.initializers.GlorotUniform(1)
            ),
        ]
    )
    network = TaskNetwork(FEATURES, ways, units=())
    rows, labels = tasks(5, rows=4 * ways, ways=ways)
    description = FeatureStatistics()(rows, labels)
    metric = TaskMetric.of(description, size=4, units=8, seed=0)
    learner = WarmStart(
        encoder,
        network,
        FeatureStatistics(),
        metric,
        list("abcde"),
        neighbours=2,
        match="classes",
        steps=3,
    )
    learner.set_tasks(
        metric.embed(description),
        description.of_classes,
        description.present,
        [part.numpy() for part in network.fit(rows, labels, steps=10)],
    )
    return learner


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check):
    check(make, ways_are_free=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neighbours": 0}, "`neighbours`"),
        ({"match": "head"}, "`match`"),
        ({"threshold": -1.0}, "`threshold`"),
        ({"temperature": 0.0}, "`temperature`"),
        ({"steps": -1}, "`steps`"),
        ({"learning_rate": float("nan")}, "`learning_rate`"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        warm(**options)
