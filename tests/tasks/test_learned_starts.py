"""A learned start is where training begins, and is worth it."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tfmeta.datasets import ClassTable
from tfmeta.tasks import TaskNetwork
from tfmeta.tasks.drawn_tasks import draw_tasks
from tfmeta.tasks.learned_starts import maml_start, pretrained_start

NETWORK = TaskNetwork(6, 3, units=(8,), seed=0)
OF = {"ways": 3, "shots": 2, "queries": 5}


def table(seed):
    """Classes that differ in two features of six; the others are noise."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((20, 1, 6))
    centres[..., :2] = rng.normal(scale=2, size=(20, 1, 2))
    rows = centres + np.array([0.3, 0.3, 2, 2, 2, 2]) * rng.normal(size=(20, 12, 6))
    labels = np.repeat([f"class {n:02d}" for n in range(20)], 12)
    return ClassTable.from_arrays(
        "numbers", rows.reshape(-1, 6).astype("float32"), labels
    )


def accuracy(network):
    new = draw_tasks(table(1), 200, seed=3, **OF)
    trained = network.fit(new.support, new.labels, steps=5)
    answers = network(trained, tf.constant(new.query)).numpy().argmax(axis=-1)
    return (answers == new.query_labels.argmax(axis=-1)).mean()


def by_maml():
    return maml_start(NETWORK, draw_tasks(table(0), 200, seed=0, **OF), steps=150)


def by_pretraining():
    return pretrained_start(NETWORK, table(0))


@pytest.mark.parametrize("learn", [by_maml, by_pretraining])
def test_training_from_a_learned_start_is_better(learn):
    network = learn()
    assert accuracy(network) > accuracy(NETWORK) + 0.05
    again = learn()
    assert again == network and hash(again) == hash(network)


def test_of_pretraining_the_body_is_taken():
    network = by_pretraining()
    body, head = network.start()[:2], network.start()[2:]
    assert not any(part.any() for part in head)
    for part, before in zip(body, NETWORK.start(), strict=False):
        assert np.abs(part - before).max() > 0.01
    assert pretrained_start(NETWORK, table(0), seed=1) != network
    # It is that of a classifier: a linear one on it tells all classes apart.
    of = table(0)
    numbers = np.repeat(np.arange(20), 12)

    def separable(network):
        parts = [part[None] for part in network.start()]
        rows = network.hidden(parts, np.asarray(of.examples[:])[None])[0]
        discriminant = LinearDiscriminantAnalysis().fit(rows, numbers)
        return discriminant.score(rows, numbers)

    assert separable(network) > separable(NETWORK) + 0.05


def test_the_gradient_is_that_through_training():
    # One step of Adam over the start moves every weight by the rate, by the sign of
    # its gradient, which central differences give, too.
    tasks = draw_tasks(table(0), 4, seed=0, **OF)
    rate, width = 1e-3, 1e-6
    rng = np.random.default_rng(0)
    # A head of zeros gives a body without a gradient, which Adam makes a sign of.
    network = NETWORK.starting_at([rng.normal(size=s) for s in NETWORK.shapes])
    learned = maml_start(
        network, tasks, steps=1, batch_size=4, inner_steps=3, learning_rate=rate
    ).start()
    start = [part.astype("float64") for part in network.start()]

    def loss(at):
        begin = tuple(tf.repeat(tf.constant(p)[None], 4, axis=0) for p in at)
        rows, query = (tf.cast(p, tf.float64) for p in (tasks.support, tasks.query))
        trained = network.trained(rows, tasks.labels, steps=3, start=begin)
        wanted = tf.cast(tasks.query_labels, tf.float64)
        return float(tf.reduce_mean(network.losses(trained, query, wanted)))

    compared = 0
    for number, part in enumerate(start):
        for place in list(np.ndindex(part.shape))[::5]:
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in start]
                moved[number][place] += sign * width
                ends.append(loss(moved))
            slope = (ends[0] - ends[1]) / (2 * width)
            if abs(slope) > 1e-3:
                change = learned[number][place] - part[place]
                np.testing.assert_allclose(change, -rate * np.sign(slope), rtol=0.01)
                compared += 1
    assert compared > 5


def test_a_learned_start_is_kept():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=shape).astype("float32") for shape in NETWORK.shapes]
    network = NETWORK.starting_at(parts)
    kept = keras.saving.serialize_keras_object(network)
    again = keras.saving.deserialize_keras_object(kept)
    assert again == network != NETWORK
    for found, part in zip(again.start(), parts, strict=True):
        np.testing.assert_array_equal(found, part)
    same = network.fit(np.zeros((2, 3, 6)), np.zeros((2, 3, 3)), steps=0)
    np.testing.assert_array_equal(same[0], np.stack([parts[0]] * 2))
    former = {k: v for k, v in NETWORK.get_config().items() if k != "learned"}
    assert TaskNetwork.from_config(former) == NETWORK


def test_what_is_no_start_is_refused():
    with pytest.raises(ValueError, match="`start` must be of shapes"):
        NETWORK.starting_at(NETWORK.start()[:-1])
    wrong = NETWORK.start()
    wrong[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="start"):
        NETWORK.starting_at(wrong)
    with pytest.raises(ValueError, match="`learned` must be 83 numbers"):
        dataclasses.replace(NETWORK, learned=b"1234")
