import warnings

import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.episodes import KerasAugmentation, RandomAffine
from tfmeta.runs.building import (
    build_augmentation,
    build_encoder,
    build_learner,
    make_learner,
)
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of
from tfmeta.runs.defaults import learner_defaults


def table(examples):
    labels = [f"class{i % 2}" for i in range(len(examples))]
    return ClassTable.from_arrays("own", examples, labels)


GREY = table(np.zeros((4, 28, 28, 1), np.uint8))
COLOUR = table(np.zeros((4, 28, 28, 3), np.uint8))
TEXT = table(np.array(["a cat", "a dog", "the cat", "CCO cco"], object))
SERIES = table(np.zeros((4, 100, 2), np.float32))
ARRAYS = table(np.random.default_rng(0).normal(size=(4, 6, 5, 2)))
SCANS = table(np.zeros((4, 2, 2, 2, 2), np.float32))


def test_kinds():
    kinds = [kind_of(t) for t in (GREY, COLOUR, TEXT, SERIES, SCANS)]
    assert kinds == ["pictures", "pictures", "text", "series", "other"]
    # Numbers that are no pixels are standardised, not divided by 255.
    for shape, dtype, kind in (
        ((4, 6), np.int64, "vectors"),
        ((4, 28, 28, 1), np.float32, "arrays"),
        ((4, 28, 28, 5), np.uint8, "arrays"),
        ((4, 3), np.complex64, "other"),
        ((4,), np.float32, "other"),
    ):
        assert kind_of(table(np.zeros(shape, dtype))) == kind


def test_the_encoder_fits_the_examples():
    config = TrainConfig(filters=4)
    assert build_encoder(config, COLOUR).input_shape == (None, 28, 28, 3)
    assert build_encoder(config, COLOUR).output_shape == (None, 4)
    text = build_encoder(config, TEXT)
    assert text.input_shape == (None,) and text.inputs[0].dtype == "string"
    with pytest.raises(ValueError, match=r"1 to 3 axes.*'own'.*\(2, 2, 2, 2\)"):
        build_encoder(config, SCANS)


def test_the_strided_encoder_has_no_poolings():
    config = TrainConfig(filters=4, encoder="conv4_strides")
    encoder = build_encoder(config, GREY)
    assert encoder.output_shape == (None, 2 * 2 * 4)
    assert not any("pooling" in layer.name for layer in encoder.layers)


ONE_OF_TWO = {"train_ways": 2, "ways": 2, "train_queries": 1, "filters": 4}


def test_what_a_memory_is_made_for_follows_from_the_run():
    chosen = {"learner": "snail", "train_shots": (1, 3), **ONE_OF_TWO}
    learner = build_learner(TrainConfig().with_options(chosen), TEXT)
    assert (learner.fixed_ways, learner.shots) == (2, 3)
    chosen["learner_arguments"] = {"shots": 2}
    assert make_learner(TrainConfig().with_options(chosen), TEXT).shots == 2

    config = TrainConfig().with_options({"learner": "meta_networks", **ONE_OF_TWO})
    for data, name in ((GREY, "pixels"), (ARRAYS, "standardized_pixels")):
        learner = build_learner(config, data)
        assert learner.encoder.name == name and learner.filters == 4
        assert learner.encoder.output_shape == (None, *data.example_shape)
    assert learner.optimizer.global_clipnorm == 10.0


@pytest.mark.parametrize("learner", ["mann", "snail", "meta_networks"])
def test_a_memory_reads_labels_of_one_number_of_ways(learner):
    chosen = {"learner": learner, "train_ways": 3, "ways": 2}
    with pytest.raises(ValueError, match="`ways` must equal `train_ways`.*so many inp"):
        learner_defaults(chosen)


def test_pixels_stay_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 1), np.uint8)
    for name, shape in (("pixels", (30,)), ("pixel_maps", (6, 5, 1))):
        encoder = build_encoder(TrainConfig(encoder=name), table(pixels))
        wanted = pixels.reshape(4, *shape) / 255
        np.testing.assert_allclose(encoder(pixels), wanted, rtol=1e-6)


def test_every_character_counts_where_it_should():
    texts = np.array(["CCO", "cco"], object)
    for characters, alike in ((False, True), (True, False)):
        encoder = build_encoder(TrainConfig(characters=characters, seed=1), TEXT)
        upper, lower = encoder.predict_on_batch(texts)
        assert np.allclose(upper, lower, atol=1e-6) == alike


def test_augmentation_fits_the_pictures():
    config = TrainConfig(augment=True)
    assert isinstance(build_augmentation(config, GREY), RandomAffine)
    assert isinstance(build_augmentation(config, COLOUR), KerasAugmentation)
    assert build_augmentation(TrainConfig(), TEXT) is None
    with pytest.raises(ValueError, match="`augment` distorts pictures.*'own'"):
        build_augmentation(config, TEXT)


def test_a_learner_of_texts_is_compiled():
    learner = build_learner(TrainConfig(), TEXT)
    assert learner.compiled
    assert learner.encoder.inputs[0].dtype == "string"


def test_an_inner_loop_on_an_encoder_of_others_warns_of_nothing(tmp_path):
    path = tmp_path / "encoder.keras"
    keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(2, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
        ]
    ).save(path)
    config = TrainConfig().with_options(
        {"learner": "maml", "encoder": str(path), "train_ways": 2, "ways": 2}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learner = build_learner(config, GREY)
    assert learner.encoder.count_params() > 0
