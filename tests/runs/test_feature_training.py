"""Runs on an encoder that others have trained."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tfmeta.learners import SimpleShot
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config
from tfmeta.runs.feature_training import features_table
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.standard import Standard
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train


@pytest.fixture(scope="module")
def tables(draw_glyphs_once):
    return {
        split: draw_glyphs_once(split).take_classes(range(8))
        for split in ("train", "validation", "test")
    }


@pytest.fixture
def few_glyphs(tables, monkeypatch):
    def load_split(config, split, data_dir=None):
        return tables[split]

    for module in ("plan", "data"):
        monkeypatch.setattr(f"tfmeta.runs.{module}.load_split", load_split)


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 5, strides=2, activation="relu")(x)
    x = keras.layers.MaxPooling2D(4)(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    path = tmp_path_factory.mktemp("encoder") / "encoder.keras"
    model.save(path)
    return path


@pytest.fixture
def config(encoder_file):
    return TrainConfig().with_options(
        dict(
            encoder=str(encoder_file),
            train_ways=4,
            queries=3,
            validation_episodes=4,
            epochs=2,
            steps_per_epoch=3,
            seed=3,
        )
    )


def weights(learner):
    return [w.value.numpy().tobytes() for w in learner.weights]


@pytest.mark.usefixtures("few_glyphs")
def test_trains_a_projection_and_keeps_a_learner_of_pictures(config, tables, tmp_path):
    folder, calls = RunFolder(tmp_path / "run"), []
    learner = train(
        config,
        folder,
        data_dir=tmp_path / "data",
        on_features=lambda *done: calls.append(done),
    )
    assert calls[-1] == (tables["validation"].num_examples,) * 2
    backbone, projection = learner.encoder.layers
    start = build_learner(config, tables["train"]).encoder.layers
    for kept, first in zip(backbone.weights, start[0].weights, strict=True):
        np.testing.assert_array_equal(kept, first)
    moved = projection.get_weights()[0] - start[1].get_weights()[0]
    assert 0 < np.abs(moved).max() < 0.1
    loaded = load_learner(folder)
    pictures = tables["test"].examples[:3]
    np.testing.assert_array_equal(loaded.encoder(pictures), learner.encoder(pictures))
    assert loaded.encoder.input_shape == (None, 28, 28, 1)
    (result,) = measure(
        folder, loaded, Standard(num_episodes=600), data_dir=tmp_path / "data"
    )
    assert 0.2 < result.accuracy <= 1


class StopAfterEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.usefixtures("few_glyphs")
def test_goes_on_bit_for_bit(config, tmp_path):
    whole = train(config, RunFolder(tmp_path / "whole"), data_dir=tmp_path / "data")
    folder = RunFolder(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        train(config, folder, data_dir=tmp_path / "other", callbacks=[StopAfterEpoch()])
    assert not folder.is_trained
    # Features of its own, computed anew.
    resumed = train(config, folder, data_dir=tmp_path / "third", resume=True)
    assert weights(resumed) == weights(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("few_glyphs")
@pytest.mark.parametrize("learner", ["baseline_plus_plus", "anil"])
def test_trains_other_learners(learner, config, tmp_path):
    options = {"batch_size": 8} if learner.startswith("base") else {"ways": 4}
    config = config.with_options({"learner": learner, **options})
    trained = train(config, RunFolder(tmp_path / "run"), data_dir=tmp_path)
    backbone, projection = trained.encoder.layers
    assert not backbone.trainable_variables and projection.trainable_variables


@pytest.mark.usefixtures("few_glyphs")
def test_a_learner_without_training_is_a_run_at_once(config, tables, tmp_path):
    config = dataclasses.replace(
        config,
        learner="simple_shot",
        learner_arguments={"transform": "centered_l2"},
    )
    folder = RunFolder(tmp_path / "run")
    learner = train(config, folder, data_dir=tmp_path / "data")
    assert isinstance(learner, SimpleShot) and folder.is_trained
    features = learner.encoder(tables["train"].examples).numpy()
    np.testing.assert_allclose(learner.base_mean, features.mean(axis=0), rtol=1e-5)
    loaded = load_learner(folder)
    np.testing.assert_array_equal(loaded.base_mean, learner.base_mean)
    assert json.loads(folder.history_file.read_text()) == {}
    again = train(config, folder, data_dir=tmp_path / "data", resume=True)
    assert weights(again) == weights(learner)
    (result,) = measure(
        folder, loaded, Standard(num_episodes=600), data_dir=tmp_path / "data"
    )
    assert result.accuracy > 0.2


def test_features_of_a_table_are_those_of_its_encoder(config, tables, tmp_path):
    encoder = build_learner(config, tables["train"]).encoder.layers[0]
    table = features_table(encoder, tables["test"], tmp_path)
    np.testing.assert_allclose(
        table.examples, encoder(tables["test"].examples), rtol=1e-5, atol=1e-6
    )
    assert table.origins == tables["test"].origins


@pytest.mark.parametrize(
    "wrong", [{"augment": True}, {"dtype_policy": "mixed_bfloat16"}]
)
def test_refuses_what_has_no_effect_on_features(wrong, config, tables):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"`{name}` must be .* computed once"):
        build_learner(dataclasses.replace(config, **wrong), tables["train"])
    chosen = {"encoder": "efficientnet_lite0", **wrong}
    with pytest.raises(ValueError, match=f"`{name}` must be left out for encoder"):
        default_config("glyphs", chosen)


def test_refuses_encoders_that_do_not_go(config, tables):
    pictures = tables["train"]
    with pytest.raises(ValueError, match="`encoder` must be one of conv4.*'conv5'"):
        build_learner(dataclasses.replace(config, encoder="conv5"), pictures)
    wide = dataclasses.replace(pictures, examples=pictures.examples.astype(np.uint16))
    with pytest.raises(ValueError, match="pictures of 8 bits.*uint16"):
        build_learner(config, wide)
    with pytest.raises(ValueError, match="`filters` must be left out"):
        default_config("glyphs", {"encoder": "efficientnet_lite0", "filters": 8})
    with pytest.raises(ValueError, match="`epochs` must be left out.*on nothing"):
        default_config("glyphs", {"learner": "simple_shot", "epochs": 3})


def test_defaults_of_a_pretrained_encoder(encoder_file, monkeypatch):
    monkeypatch.chdir(encoder_file.parent)
    config = default_config("mini_imagenet", {"encoder": encoder_file.name})
    assert config.encoder == str(encoder_file.resolve())
    assert not config.augment
    assert default_config("mini_imagenet", {}).augment
