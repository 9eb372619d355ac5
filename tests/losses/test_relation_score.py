"""The regression of relation scores against plain NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.losses import RelationScoreLoss


def by_hand(labels, logits, weights):
    """Mean over queries, weighted, of the mean over ways that are present."""
    total = 0.0
    for place in np.ndindex(labels.shape):
        errors = [
            (1 / (1 + np.exp(-logit)) - (way == labels[place])) ** 2
            for way, logit in enumerate(logits[place])
            if np.isfinite(logit)
        ]
        total += weights[place] * np.mean(errors)
    return total / weights.sum()


@pytest.fixture
def episode():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 5, 4))
    logits[0, :, 3] = -np.inf
    labels = rng.integers(0, 3, size=(2, 5))
    weights = np.array([[1, 1, 0, 1, 1], [1, 0, 0, 1, 1]], "float64")
    return labels, logits, weights


def test_value(episode):
    loss = RelationScoreLoss(dtype="float64")
    found = loss(*episode)
    assert found.dtype == tf.float64
    assert abs(float(found) - by_hand(*episode)) < 1e-12
    labels, logits, _ = episode
    alone = float(loss(labels, logits))
    assert abs(alone - by_hand(labels, logits, np.ones(labels.shape))) < 1e-12


def test_gradient(episode):
    labels, logits, weights = episode
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = RelationScoreLoss(dtype="float64")(labels, variable, weights)
    gradient = tape.gradient(loss, variable).numpy()
    for place in np.ndindex(logits.shape):
        if np.isinf(logits[place]):
            assert gradient[place] == 0
            continue
        ends = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[place] += step
            ends.append(by_hand(labels, moved, weights))
        assert abs(gradient[place] - (ends[0] - ends[1]) / 2e-6) < 1e-8


def test_absent_ways_do_not_count(episode):
    labels, logits, weights = episode
    loss = RelationScoreLoss(dtype="float64")
    more = np.concatenate([logits, np.full((2, 5, 3), -np.inf)], axis=-1)
    assert float(loss(labels, more, weights)) == float(loss(labels, logits, weights))


def test_nothing_present_has_no_score():
    logits = np.full((1, 2, 2), -np.inf)
    logits[0, 1] = 0.0
    losses = RelationScoreLoss(reduction=None)([[0, 1]], logits).numpy()
    assert np.isnan(losses[0, 0]) and losses[0, 1] == 0.25


def test_config():
    loss = RelationScoreLoss(reduction="sum", name="mine", dtype="float64")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert type(again) is RelationScoreLoss
    assert again.get_config() == loss.get_config()
