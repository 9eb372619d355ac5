"""Runs that know classes by their attributes."""

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.export import save
from tfmeta.features import encoder_digest, frozen_part
from tfmeta.runs import data
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.realistic import Realistic
from tfmeta.runs.measuring.standard import Standard, draw_test_episodes
from tfmeta.runs.pictures import draw_episodes
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train


def make_table(split, classes):
    """Pictures of one colour each, which the attributes name with some noise."""
    rng = np.random.default_rng(classes)
    colours = rng.integers(0, 256, (classes, 3))
    noise = rng.integers(-8, 9, (classes, 10, 8, 8, 3))
    pictures = np.clip(colours[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    names = [f"{split}_{c:02d}" for c in range(classes)]
    attributes = (colours / 255 - 0.5).astype(np.float32)
    return ClassTable.from_arrays(
        "colours",
        pictures.reshape(-1, 8, 8, 3),
        np.repeat(names, 10),
        class_attributes=dict(zip(names, attributes, strict=True)),
    )


TABLES = {
    split: make_table(split, classes)
    for split, classes in (("train", 30), ("validation", 9), ("test", 10))
}


@pytest.fixture
def colours(monkeypatch):
    monkeypatch.setattr(data, "load", lambda name, *, split, **rest: TABLES[split])


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255, -0.5)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    start = keras.initializers.Orthogonal(seed=0)
    x = keras.layers.Dense(6, kernel_initializer=start)(x)
    model = keras.Model(inputs, x)
    path = tmp_path_factory.mktemp("encoder") / "encoder.keras"
    model.save(path)
    return path


@pytest.fixture
def config(encoder_file):
    return TrainConfig().with_options(
        {
            "learner": "zero_shot_prototypical",
            "encoder": str(encoder_file),
            "train_ways": 20,
            "queries": 5,
            "train_queries": 5,
            "validation_episodes": 8,
            "epochs": 1,
            "steps_per_epoch": 60,
            "learning_rate": 0.05,
        }
    )


@pytest.mark.slow
@pytest.mark.usefixtures("colours")
def test_learns_what_attributes_mean(config, tmp_path):
    folder = RunFolder(tmp_path / "run")
    learner = train(config, folder, data_dir=tmp_path)
    # A map of attributes is all that is trained, to where features lie.
    assert [w.shape for w in learner.trainable_variables] == [(3, 6), (6,)]
    pictures = TABLES["test"].examples[:2]
    np.testing.assert_allclose(
        np.linalg.norm(learner.encoder(pictures), axis=1), 8, rtol=1e-5
    )
    (result,) = measure(folder, learner, Standard(num_episodes=600), data_dir=tmp_path)
    assert result.protocol["support"] == "attributes"
    assert result.accuracy > 0.6, str(result)
    column = Standard.of_column(ways=5, shots=1, queries=5, num_episodes=600)
    assert column.find(folder).accuracy == result.accuracy
    drawn = draw_test_episodes(config)
    draw_episodes(learner, drawn, folder.episodes_picture, count=1)
    with Image.open(folder.episodes_picture) as picture:
        assert min(picture.size) > 400
    loaded = load_learner(folder)
    np.testing.assert_array_equal(loaded.encoder(pictures), learner.encoder(pictures))
    with pytest.raises(ValueError, match="shown examples.*'zero_shot_prototypical'"):
        measure(folder, learner, Realistic(num_episodes=600), data_dir=tmp_path)


@pytest.mark.usefixtures("colours")
def test_more_shots_than_attributes_are_refused(config):
    with pytest.raises(ValueError, match="`shots` must be 1 with support='attributes'"):
        draw_test_episodes(config.with_options({"shots": 5}))


def test_names_of_classes_where_there_are_no_attributes(draw_glyphs_once, monkeypatch):
    glyphs = draw_glyphs_once("test")
    monkeypatch.setattr(data, "load", lambda name, **rest: glyphs)
    table = data.load_split(TrainConfig(learner="zero_shot_prototypical"), "test")
    words = [name.replace("_", " ") for name in table.class_names]
    assert table.class_attributes.tolist() == words
    assert data.load_split(TrainConfig(), "test").class_attributes is None


def test_attributes_of_another_kind_are_refused(config):
    table = dataclasses.replace(TABLES["train"], class_attributes=np.ones((30, 2, 2)))
    with pytest.raises(ValueError, match=r"a text for each class.*\(2, 2\) and dtype"):
        build_learner(config, table)
    table = dataclasses.replace(table, class_attributes=None)
    with pytest.raises(ValueError, match="must have attributes of its classes.*none"):
        build_learner(config, table)


@pytest.mark.slow
def test_texts_go_through_token_vectors(config, tmp_path):
    if importlib.util.find_spec("wordllama") is None:
        pytest.skip("extra `texts` not installed")
    words = [name.replace("_", " ") for name in TABLES["train"].class_names]
    table = dataclasses.replace(
        TABLES["train"], class_attributes=np.array(words, object)
    )
    learner = build_learner(config, table)
    assert learner.pretraining_data == "wordllama"
    assert [w.shape for w in learner.trainable_variables] == [(256, 6), (6,)]
    saved = tf.saved_model.load(save(learner, tmp_path / "learner"))
    query = TABLES["test"].examples[:3]
    answer = saved.signatures["classify"](
        support=tf.constant(["a cat", "a dog"]),
        support_labels=tf.constant([0, 1]),
        query=tf.constant(query),
    )["probabilities"]
    state = learner.adapt(
        tf.constant([["a cat", "a dog"]]), np.eye(2, dtype="f4")[None]
    )
    expected = tf.nn.softmax(learner.predict_query(state, query[None])[0])
    np.testing.assert_allclose(answer, expected, atol=1e-5)


@pytest.mark.usefixtures("colours")
def test_features_that_are_kept_answer_alike(config, tmp_path):
    learner = build_learner(config, TABLES["train"])
    episodes = Episodes(TABLES["test"], queries=5, tasks=10, support="attributes")
    kept, direct = (
        evaluate(learner, episodes, num_episodes=600, seen_classes=(), **how)
        for how in ({"cache_dir": tmp_path / "kept"}, {"encode_once": False})
    )
    np.testing.assert_allclose(kept.episode_accuracies, direct.episode_accuracies)
    # The features of the encoder, whatever stands behind it.
    frozen = frozen_part(learner).encoder
    assert frozen.output_shape == (None, 6)
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [encoder_digest(frozen)]
