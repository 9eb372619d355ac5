"""Embeddings that are there give the episodes and answers that examples give."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation.embedded_steps import EmbeddedSteps, embedding_table
from tfmeta.evaluation.prediction import EpisodePredictor
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import (
    Baseline,
    BaselinePlusPlus,
    GaussianPrototypicalNetwork,
    LogisticRegression,
    MatchingNetwork,
    PrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
    SimpleShot,
)

FEATURES = 6
FIXED = {"ways": 4, "shots": 2, "queries": 5, "tasks": 7, "seed": 3}
VARIED = {"ways": (2, 5), "shots": (1, 3), "queries": 4, "tasks": 7, "seed": 3}
KINDS = {
    "fixed": FIXED,
    "varied": VARIED,
    "imbalanced": {**FIXED, "shots": (1, 3), "balanced": False},
    "unlabelled": {**FIXED, "unlabelled": 2, "distractors": 2},
    "varied and unlabelled": {**VARIED, "unlabelled": 1},
    "unequal queries": {**FIXED, "queries": 2, "query_dirichlet": 2.0},
    "one task": {**FIXED, "tasks": 1},
    "many tasks": {**FIXED, "tasks": 40},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    sizes = 12 + np.arange(9) % 3
    labels = np.repeat(np.arange(9), sizes)
    points = 10.0 + 0.6 * rng.normal(size=(9, FEATURES))[labels]
    points += rng.normal(size=points.shape)
    return ClassTable.from_arrays("points", points.astype("float32"), labels)


def passing_on():
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_batch_of_that_step(table, kind):
    episodes = Episodes(table, **KINDS[kind])
    steps = EmbeddedSteps(episodes, embedding_table(np.asarray(table.examples)))
    drawn = tf.function(steps.at, autograph=False)
    for number in (0, 5, 1000):
        inputs, y, *_ = episodes.batch(number)
        found = drawn(tf.constant(number, tf.int64))
        assert found.inputs.keys() == inputs.keys()
        for name, part in inputs.items():
            assert found.inputs[name].dtype == part.dtype
            np.testing.assert_array_equal(found.inputs[name], part, name)
        np.testing.assert_array_equal(found.y, y)
        participants = [episodes.class_ids(number), episodes.distractor_ids(number)]
        np.testing.assert_array_equal(
            found.participants, np.concatenate(participants, axis=1)
        )


# Temperatures are 1: what float32 rounds is multiplied by their inverse.
LEARNERS = {
    "squared": (PrototypicalNetwork, {}, "fixed"),
    "squared, padded": (PrototypicalNetwork, {}, "varied"),
    "euclidean": (PrototypicalNetwork, {"distance": "euclidean"}, "imbalanced"),
    "cosine": (PrototypicalNetwork, {"distance": "cosine"}, "unequal queries"),
    "unit length": (SimpleShot, {}, "fixed"),
    "centred": (
        SimpleShot,
        {"transform": "centered_l2", "base_mean": np.full(FEATURES, 9.0)},
        "one task",
    ),
    "cosine of features": (SimpleShot, {"distance": "cosine"}, "varied"),
    "as they are": (SimpleShot, {"transform": "none"}, "many tasks"),
    "logistic": (LogisticRegression, {}, "fixed"),
    "linear": (Baseline, {"base_classes": 3, "head_steps": 3}, "fixed"),
    "cosine head": (BaselinePlusPlus, {"base_classes": 3, "head_steps": 3}, "fixed"),
    "attention": (MatchingNetwork, {"temperature": 1.0}, "varied"),
    "attention, squared": (
        MatchingNetwork,
        {"distance": "squared_euclidean", "temperature": 1.0},
        "fixed",
    ),
    "unlabelled": (SemiSupervisedPrototypicalNetwork, {}, "unlabelled"),
    "gaussian": (GaussianPrototypicalNetwork, {}, "varied"),
    "pairs": (SiameseNetwork, {}, "fixed"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_answers_are_those_of_the_direct_path(table, name):
    """Of a number of episodes that is no multiple of those of a batch."""
    make, options, kind = LEARNERS[name]
    learner = make(passing_on(), **options)
    episodes = Episodes(table, **KINDS[kind])
    count = 2 * episodes.tasks + (episodes.tasks > 1)

    def answers(embeddings):
        progress = []
        predictor = EpisodePredictor(learner, embeddings)
        batches = list(
            predictor.batches(
                episodes, count, Progress(lambda *done: progress.append(done), 3)
            )
        )
        assert len(progress) == -(-count // episodes.tasks)
        parts = [{**b.answers, "y": b.y, "real": b.real} for b in batches]
        ids = np.concatenate([b.participants for b in batches])
        joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        return joined, ids

    direct, classes = answers(None)
    once, same_classes = answers(np.asarray(table.examples))
    np.testing.assert_array_equal(classes, same_classes)
    real = direct.pop("real")
    np.testing.assert_array_equal(once.pop("real"), real)
    assert len(real) == count and direct["answered"][real].all()
    for part in ("y", "predicted", "answered"):
        np.testing.assert_array_equal(once[part][real], direct[part][real], part)
    # Where in a batch a row is rounds a cosine up or down, in the direct path as well.
    size = max(1.0, np.abs(direct["top_logit"][real]).max())
    for part in ("probability", "top_logit", "margin"):
        np.testing.assert_allclose(
            once[part][real], direct[part][real], rtol=0, atol=1e-6 * size, err_msg=part
        )
