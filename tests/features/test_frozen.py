"""A learner behind a frozen encoder gives the answers of the whole one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Projection
from tfmeta.encoders.stacked import stacked
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate, evaluate_open_set
from tfmeta.features import frozen_part, on_frozen
from tfmeta.learners import (
    ANIL,
    MAML,
    BaselinePlusPlus,
    LogisticRegression,
    MatchingNetwork,
    MetaSGD,
    PrototypicalNetwork,
    SimpleShot,
)


def make_backbone():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(6, 3, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    backbone = keras.Model(inputs, x, name="backbone")
    backbone.trainable = False
    return backbone


def whole_encoder():
    projection = Projection(6, units=5, seed=0)
    return keras.Sequential([make_backbone(), projection])


def centred(encoder):
    return SimpleShot(encoder, "centered_l2", base_mean=np.linspace(0.1, 1, 6))


LEARNERS = {
    "prototypical": lambda: PrototypicalNetwork(whole_encoder(), "cosine"),
    "matching": lambda: MatchingNetwork(whole_encoder(), seed=0),
    "baseline": lambda: BaselinePlusPlus(whole_encoder(), 7, head_steps=3, seed=0),
    "maml": lambda: MAML(whole_encoder(), ways=3, seed=0),
    "anil": lambda: ANIL(whole_encoder(), ways=3, seed=0),
    "meta_sgd": lambda: MetaSGD(whole_encoder(), ways=3, seed=0),
    "simple_shot": lambda: centred(make_backbone()),
    "logistic_regression": lambda: LogisticRegression(make_backbone()),
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(8, 1, 4, 4, 1))
    examples = (means + rng.normal(size=(8, 10, 4, 4, 1))).astype(np.float32)
    labels = np.repeat(np.arange(8), 10)
    return ClassTable.from_arrays("toy", examples.reshape(-1, 4, 4, 1), labels)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.slow if name in ("anil", "meta_sgd") else ()
        )
        for name in LEARNERS
    ],
)
def test_parts_answer_as_the_whole_and_make_it_again(name, table):
    learner = LEARNERS[name]()
    rng = np.random.default_rng(0)
    for weight in learner.trainable_variables:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    part = frozen_part(learner)
    assert type(part.learner) is type(learner)
    assert part.encoder.output_shape == (None, 6)
    inputs, _ = Episodes(table, ways=3, shots=2, queries=4, tasks=2, seed=0).batch(0)
    features = {**inputs}
    for side in ("support", "query"):
        flat = tf.reshape(inputs[side], [-1, 4, 4, 1])
        features[side] = tf.reshape(part.encoder(flat), [2, -1, 6])
    wanted = learner.episode_logits(inputs)
    found = part.learner.episode_logits(features)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    again = on_frozen(part.encoder, part.learner).episode_logits(inputs)
    np.testing.assert_allclose(again, wanted, rtol=1e-4, atol=1e-5)


def test_features_of_one_model_serve_all_that_stands_behind_it():
    backbone = make_backbone()
    behind = stacked(backbone, keras.layers.Rescaling(2.0))
    assert frozen_part(SimpleShot(behind)).encoder is behind.layers[0]
    alone = stacked(backbone)
    assert frozen_part(SimpleShot(alone)).encoder is alone
    # Maps would take more room than what is made of them.
    maps = keras.Model(backbone.inputs, backbone.layers[1].output, trainable=False)
    pooled = stacked(maps, keras.layers.GlobalMaxPooling2D())
    assert frozen_part(SimpleShot(pooled)).encoder is pooled


def test_nothing_is_frozen_where_the_encoder_is_trained():
    backbone = make_backbone()
    backbone.trainable = True
    assert frozen_part(PrototypicalNetwork(backbone)) is None
    assert frozen_part(PrototypicalNetwork(Projection(4))) is None


@pytest.mark.parametrize(
    "name",
    [
        "prototypical",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("anil", "simple_shot")),
    ],
)
def test_an_evaluation_over_features_is_the_direct_one(name, table, tmp_path):
    learner = LEARNERS[name]()
    episodes = Episodes(table, ways=3, shots=2, queries=4, tasks=61, seed=0)

    def measure(**options):
        done = []
        result = evaluate(
            learner,
            episodes,
            num_episodes=600,
            seen_classes=[],
            on_progress=lambda *pieces: done.append(pieces),
            **options,
        )
        assert [n for n, _ in done] == list(range(1, done[-1][1] + 1))
        return result

    direct = measure(encode_once=False)
    for _ in range(2):  # The second time they are there.
        cached = measure(cache_dir=tmp_path)
        np.testing.assert_allclose(
            cached.episode_accuracies, direct.episode_accuracies, atol=1e-6
        )
        np.testing.assert_allclose(
            cached.reliability.probability, direct.reliability.probability, rtol=1e-4
        )
        assert cached.protocol == direct.protocol
    assert list(tmp_path.glob("*/*.npy"))


def test_unknown_classes_are_measured_over_features(table, tmp_path):
    test, validation = (
        Episodes(table.take_classes(ids), ways=3, queries=4, tasks=60)
        for ids in (range(4), range(4, 8))
    )
    direct, cached = (
        evaluate_open_set(
            LEARNERS["simple_shot"](),
            test,
            validation,
            unknown_ways=1,
            num_episodes=600,
            seen_classes=validation.origins,
            cache_dir=folder,
        )
        for folder in (None, tmp_path)
    )
    np.testing.assert_allclose(cached.accuracies, direct.accuracies, atol=1e-6)
    assert list(tmp_path.glob("*/*.npy"))
