"""Whole sequences against the equations of one step, and what is trained on."""

import itertools

import keras
import memory_by_hand
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

from tfmeta.learners import MemoryAugmentedNetwork
from tfmeta.testing.subject import precision

SIZES = {"units": 5, "slots": 6, "width": 3, "heads": 2}


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


def made(**options):
    learner = MemoryAugmentedNetwork(
        as_they_are(), WAYS, **{**SIZES, "seed": 0, **options}
    )
    return with_other_weights(learner)


def steps(learner):
    """The first state, and one step of the network, in NumPy."""
    if learner.slots:
        weights = memory_by_hand.weights_of(learner.reader)

        def step(inputs, state):
            return memory_by_hand.step(
                weights,
                inputs,
                state,
                heads=learner.heads,
                decay=learner.usage_decay,
                strength=learner.key_strength,
            )

        return memory_by_hand.first_state(**SIZES), step
    weights = learner.reader.lstm.get_weights()

    def lstm(inputs, state):
        hidden, memory = memory_by_hand.lstm(
            inputs, state["hidden"], state["cell"], *weights
        )
        return hidden, {"hidden": hidden, "cell": memory}

    return {"hidden": np.zeros(5), "cell": np.zeros(5)}, lstm


def by_hand(learner, rows, labels, queries=()):
    """Logits of each row before its label is told, then of each query for itself."""
    state, step = steps(learner)
    kernel, bias = (w.numpy() for w in learner.head.weights)
    last, found = np.zeros(WAYS), []
    for row, label in zip(rows, labels, strict=True):
        outputs, state = step(np.concatenate([row, last]), state)
        found.append(outputs @ kernel + bias)
        last = label
    answers = [step(np.concatenate([query, last]), state)[0] for query in queries]
    return np.array(found), np.array([outputs @ kernel + bias for outputs in answers])


@pytest.mark.parametrize("slots", [6, 0])
def test_a_sequence_is_read_with_the_label_of_the_step_before(slots):
    learner = made(slots=slots)
    support, labels = task(7)
    queries = task(3, seed=1)[0]
    found = learner.sequence_logits(support, labels)
    state = learner.adapt(support, labels)
    answered = learner.predict_query(state, queries)
    for one in range(2):
        rows, told = support[one].numpy(), labels[one].numpy()
        wanted, answers = by_hand(learner, rows, told, queries[one].numpy())
        np.testing.assert_allclose(found[one], wanted, rtol=1e-9)
        present = told.any(axis=0)
        np.testing.assert_allclose(
            answered[one], np.where(present, answers, -np.inf), rtol=1e-9
        )


@pytest.mark.parametrize("slots", [6, 0])
def test_padding_is_no_step(slots):
    learner = made(slots=slots)
    support, labels = task(5)
    queries = task(2, seed=1)[0]
    mask = np.array([[True, False, True, True, False], [False, True, True, True, True]])
    spoiled = tf.where(mask[..., None], support, np.nan)
    state = learner.adapt(spoiled, labels, support_mask=mask)
    found = learner.predict_query(state, queries).numpy()
    for one in range(2):
        real = mask[one]
        rows, told = support[one].numpy()[real], labels[one].numpy()[real]
        _, answers = by_hand(learner, rows, told, queries[one].numpy())
        wanted = np.where(told.any(axis=0), answers, -np.inf)
        np.testing.assert_allclose(found[one], wanted, rtol=1e-9)
        assert state["last_label"][one].numpy().argmax() == told[-1].argmax()


@pytest.mark.parametrize("slots", [6, 0])
def test_it_goes_on_from_a_state(slots):
    state, whole = check_going_on(made(slots=slots))
    for name, part in whole.items():
        np.testing.assert_allclose(state[name], part, rtol=1e-11, atol=1e-14)


def costs(logits, labels):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.where(labels > 0, logs, 0).sum(axis=-1)


def trained_on(learner, padded):
    """The loss of one step on a task of two supports and two queries, and its rows."""
    support, labels = (part.numpy() for part in task(2, tasks=1))
    query, wanted = (part.numpy() for part in task(2, tasks=1, seed=5))
    inputs = {"support": support, "support_labels": labels, "query": query}
    y, weights = wanted.argmax(-1), np.ones((1, 2))
    if padded:
        inputs = {
            "support": np.insert(support, 1, np.nan, axis=1),
            "support_labels": np.insert(labels, 1, labels[:, 0], axis=1),
            "support_mask": np.array([[True, False, True]]),
            "query": np.insert(query, 0, np.nan, axis=1),
            "query_mask": np.array([[False, True, True]]),
        }
        y, weights = np.insert(y, 0, 0, axis=1), np.array([[0.0, 1.0, 1.0]])
    logs = learner.train_on_batch(inputs, y, weights, return_dict=True)
    rows = np.concatenate([support[0], query[0]])
    return logs["loss"], rows, np.concatenate([labels[0], wanted[0]])


@pytest.mark.parametrize("padded", [False, True])
def test_of_instances_every_example_counts_before_its_label_is_told(padded):
    learner = made(slots=0)
    learner.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    drawn = set()
    for _ in range(3):
        loss, rows, labels = trained_on(learner, padded)
        # Of all orders one, and another in another step.
        by_order = {}
        for order in map(list, itertools.permutations(range(4))):
            logits, _ = by_hand(learner, rows[order], labels[order])
            by_order[tuple(order)] = costs(logits, labels[order]).sum() / 2
        fitting = [
            order
            for order, wanted in by_order.items()
            if abs(wanted - loss) < 1e-6 * wanted
        ]
        assert len(fitting) == 1
        drawn |= {*fitting}
    assert len(drawn) > 1


def test_of_queries_they_alone_count_behind_the_support():
    learner = made(objective="queries", slots=0)
    learner.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    loss, rows, labels = trained_on(learner, padded=False)
    wanted = []
    for order in ([0, 1], [1, 0]):
        _, answers = by_hand(learner, rows[order], labels[order], rows[2:])
        answers = np.where(labels[:2].any(axis=0), answers, -np.inf)
        wanted.append(costs(answers, labels[2:]).sum() / 2)
    assert labels[:2].any(axis=0)[labels[2:].argmax(-1)].all(), "a query of no class"
    assert min(abs(loss - one) for one in wanted) < 1e-6 * loss


def test_answers_depend_on_the_order():
    learner = made()
    support, labels = task(4)
    query = task(2, seed=1)[0]
    found = learner.predict_query(learner.adapt(support, labels), query)
    swapped = learner.adapt(support[:, ::-1], labels[:, ::-1])
    ratio = tf.exp(learner.predict_query(swapped, query)) / tf.exp(found)
    assert np.nanmax(np.abs(ratio - 1)) > 1e-3


def test_what_is_remembered_is_never_in_half_precision():
    with precision("mixed_bfloat16"):
        encoder = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(3)])
        learner = MemoryAugmentedNetwork(encoder, WAYS, **SIZES)
        support, labels = task(4)
        state = learner.adapt(tf.cast(support, tf.float32), labels)
    assert {part.dtype for part in state.values()} == {tf.float32, tf.bool}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": 0}, "`ways` must be an int from 1 to 1,048,576. Received: ways=0"),
        (
            {"units": 2.5},
            "`units` must be an int from 1 to 1,048,576. Received: units=2.5",
        ),
        ({"slots": -1}, "`slots` must be an int from 0 to 1,048,576"),
        ({"slots": False}, "`slots` must be an int from 0 to"),
        ({"slots": 10**12}, "`slots` must be an int from 0 to"),
        ({"slots": 1}, "`slots` must be 0 or at least `heads`"),
        ({"usage_decay": 1.5}, "`usage_decay` must be a number from 0 to 1"),
        ({"usage_decay": "1"}, "`usage_decay` must be a number from 0 to 1"),
        ({"key_strength": 0}, "`key_strength` must be a number above 0"),
        ({"key_strength": True}, "`key_strength` must be a number above 0"),
        ({"key_strength": float("nan")}, "`key_strength` must be a number above 0"),
        ({"key_strength": 10**400}, "`key_strength` must be a number above 0"),
        ({"seed": "a"}, "`seed` must be an int of at least 0, or None"),
        ({"objective": "all"}, "`objective` must be one of instances, queries"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        MemoryAugmentedNetwork(as_they_are(), **{"ways": WAYS, **SIZES, **options})


def by_labels_alone(ways, instances, count=2000):
    """Accuracy of naming the class of which most are still to come."""
    rng = np.random.default_rng(0)
    right = 0
    for _ in range(count):
        left = np.full(ways, instances)
        for label in rng.permutation(np.repeat(np.arange(ways), instances)):
            right += np.argmax(left) == label
            left[label] -= 1
    return right / (count * ways * instances)


def test_a_short_training_leaves_the_plateau_of_labels_alone():
    """Of three far classes of vectors, numbered anew in every task."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(500, 1, 8))

    def batch():
        chosen = np.stack([rng.permutation(500)[:3] for _ in range(32)])
        noise = 0.1 * rng.normal(size=(32, 3, 4, 8))
        rows = (centres[chosen] + noise).astype("float32")
        labels = np.tile(np.eye(3, dtype="float32"), (32, 1, 1))
        y = np.tile(np.repeat(np.arange(3), 3), (32, 1))
        inputs = {"support": rows[:, :, 0], "support_labels": labels}
        return {**inputs, "query": rows[:, :, 1:].reshape(32, 9, 8)}, y

    with precision("float32"):
        learner = MemoryAugmentedNetwork(
            as_they_are((8,)),
            3,
            **{"units": 32, "slots": 16, "width": 8, "heads": 1},
            seed=0,
        )
        adam = keras.optimizers.Adam(1e-2, global_clipnorm=10.0)
        learner.compile(adam, jit_compile=False)
        accuracies = []
        for _ in range(600):
            logs = learner.train_on_batch(*batch(), return_dict=True)
            learner.reset_metrics()
            accuracies.append(logs["accuracy"])
    plateau = by_labels_alone(3, 4)
    # It lies there for some hundred steps, and then knows examples again.
    assert np.mean(accuracies[150:250]) == pytest.approx(plateau, abs=0.04)
    assert np.mean(accuracies[-50:]) > plateau + 0.1
