"""A learner of raw strings does what one of pictures does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.encoders import TextEncoder
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.learners import PrototypicalNetwork
from tfmeta.testing import pad_episode

TOPICS = {
    "card": ("block", "card", "stolen", "bank", "pin"),
    "rain": ("rain", "weather", "sunny", "storm", "wind"),
    "food": ("cook", "soup", "recipe", "hungry", "pasta"),
    "road": ("traffic", "drive", "route", "car", "fuel"),
    "song": ("play", "song", "louder", "music", "band"),
    "date": ("meeting", "monday", "calendar", "remind", "noon"),
}


@pytest.fixture(scope="module")
def table():
    """Six classes of 20 sentences: two words of the topic among fillers."""
    rng = np.random.default_rng(0)
    fillers = ["please", "can you", "the", "now", "i want", "hey", "again"]
    texts = [
        " ".join(rng.permutation([*rng.choice(words, 2), *rng.choice(fillers, 3)]))
        for words in TOPICS.values()
        for _ in range(20)
    ]
    return ClassTable.from_arrays("topics", texts, np.repeat(list(TOPICS), 20))


def make_learner(table, **options):
    options = {"features": 32, "unknown_columns": 64, "seed": 0, **options}
    return PrototypicalNetwork(TextEncoder(table.examples, **options))


@pytest.mark.slow
def test_fit_validate_save_and_load(table, tmp_path):
    train, validation = table.take_classes([0, 1, 2, 3]), table.take_classes([4, 5])
    # Keras does not save how far the random numbers of a Dropout have come.
    learner = make_learner(train, forget=0)
    learner.compile(keras.optimizers.Adam(0.01))
    history = learner.fit(
        Episodes(train, ways=4, shots=1, queries=3).as_dataset(),
        validation_data=Episodes(validation, ways=2).as_dataset(steps=4),
        steps_per_epoch=10,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    assert history["loss"][1] < history["loss"][0]
    assert np.isfinite(history["val_loss"]).all()
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras", safe_mode=True)
    data = Episodes(validation, ways=2, shots=3, tasks=2).as_dataset(steps=3)
    np.testing.assert_array_equal(
        loaded.predict(data, verbose=0), learner.predict(data, verbose=0)
    )
    assert loaded.evaluate(data, verbose=0) == learner.evaluate(data, verbose=0)
    # Goes on as if nothing had happened.
    batch = Episodes(train, ways=4, shots=1, queries=3, seed=9).batch(0)
    for model in (learner, loaded):
        model.train_on_batch(*batch)
    for ours, theirs in zip(learner.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_padding_changes_nothing(table):
    learner = make_learner(table, forget=0)
    learner.compile("sgd", run_eagerly=True)
    batch = Episodes(table, ways=3, shots=2, queries=2, tasks=2).batch(0)
    padded = pad_episode(batch, support=3, queries=2, ways=1)
    assert padded[0]["support"].dtype == tf.string
    expected = learner.episode_logits(batch[0]).numpy()
    found = learner.episode_logits(padded[0]).numpy()
    np.testing.assert_allclose(found[:, :6, :3], expected, atol=1e-4)
    assert np.isneginf(found[:, :6, 3:]).all()
    start = learner.get_weights()
    updates = []
    for episode in (batch, padded):
        learner.set_weights(start)
        learner.train_on_batch(*episode)
        updates.append(learner.get_weights()[0] - start[0])
    assert np.abs(updates[0]).max() > 0
    np.testing.assert_allclose(updates[1], updates[0], atol=1e-6)


def test_ways_and_shots_that_vary(table):
    episodes = Episodes(table, ways=(2, 5), shots=(1, 3), queries=2, tasks=3)
    inputs, y, weight = episodes.batch(0)
    real = inputs["support_mask"].numpy()
    assert not real.all()
    assert (inputs["support"].numpy()[~real] == b"").all()
    learner = make_learner(table)
    learner.compile("adam")
    logs = learner.train_on_batch(inputs, y, weight, return_dict=True)
    assert np.isfinite(logs["loss"])
    assert all(np.isfinite(w).all() for w in learner.get_weights())


def test_encoding_once_gives_the_same_figure(table):
    learner = make_learner(table)
    episodes = Episodes(table, ways=5, shots=2, queries=5, tasks=20)
    results = [
        evaluate(learner, episodes, num_episodes=600, seen_classes=[], encode_once=once)
        for once in (True, False)
    ]
    np.testing.assert_array_equal(*(r.class_total for r in results))
    # Rounding may decide between two prototypes that are equally near.
    assert abs(results[0].accuracy - results[1].accuracy) < 1e-3
    assert 0.5 < results[0].accuracy < 1


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(table, dtype):
    learner = make_learner(table, dtype=dtype)
    reference = make_learner(table)
    reference.set_weights(learner.get_weights())
    inputs = Episodes(table, ways=4, shots=2, queries=3).batch(0)[0]
    logits = learner.episode_logits(inputs)
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, reference.episode_logits(inputs), atol=0.5)
