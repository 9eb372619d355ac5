"""Encoders that others have trained, as learners use them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4, pretrained, pretraining_data
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A network with all that differs in training: dropout, batch norm, an average."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(x)
    path = tmp_path_factory.mktemp("models") / "small.keras"
    keras.Model(inputs, x, name="small").save(path)
    return path


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def table(*shape):
    labels = np.repeat(["a", "b", "c", "d"], 6)
    return ClassTable.from_arrays("noise", pixels(24, *shape), labels)


@pytest.mark.parametrize("channels", [1, 3, 4, None])
def test_any_size_and_channels_and_a_round_trip(file, tmp_path, channels):
    encoder = pretrained(file, input_shape=(None, None, channels), size=16)
    assert encoder.output_shape == (None, 6)
    learner = PrototypicalNetwork(encoder)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")  # safe mode
    for height, width in ((16, 16), (31, 8)):
        given = pixels(2, height, width, channels or 3)
        found = encoder(given).numpy()
        assert found.dtype == np.float32 and np.isfinite(found).all()
        np.testing.assert_array_equal(found, encoder(given.astype("float32")))
        np.testing.assert_allclose(loaded.encoder(given), found, rtol=1e-6)
    assert not loaded.encoder.trainable_weights


@pytest.mark.parametrize("shape", [(84, 84, 3), (28, 28, 1)])
def test_frozen_is_inference_mode_also_while_a_learner_trains(file, shape):
    encoder = pretrained(file, input_shape=shape, size=16)
    head = keras.Sequential([encoder, keras.layers.Dense(4)])
    learner = PrototypicalNetwork(head)
    before = [w.numpy() for w in encoder.weights]
    given = pixels(3, *shape)
    expected = encoder(given, training=False).numpy()
    np.testing.assert_array_equal(encoder(given, training=True), expected)
    learner.compile("adam")
    episodes = Episodes(table(*shape), ways=3, shots=2, queries=2, tasks=2, seed=0)
    kernel = head.layers[1].kernel.numpy()
    learner.fit(episodes.as_dataset(steps=2), epochs=1, verbose=0)
    assert all(map(np.array_equal, before, [w.numpy() for w in encoder.weights]))
    assert not np.array_equal(kernel, head.layers[1].kernel.numpy())


def test_trainable_trains_and_is_in_training_mode(file, tmp_path):
    encoder = pretrained(file, size=8, trainable=True)
    assert len(encoder.trainable_weights) == 4
    given = pixels(4, 8, 8, 3)
    inference = encoder(given, training=False).numpy()
    assert not np.allclose(encoder(given, training=True), inference)
    encoder.save(tmp_path / "trainable.keras")
    loaded = keras.saving.load_model(tmp_path / "trainable.keras")
    assert len(loaded.trainable_weights) == 4


def test_mixed_precision_computes_in_half_and_gives_full():
    full = pretrained("MobileNet", weights=None, size=32)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = pretrained("MobileNet", weights=None, size=32)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    given = pixels(2, 40, 40, 3)
    found = half(given).numpy()
    assert found.dtype == np.float32
    assert half.get_layer("backbone").compute_dtype == "bfloat16"
    expected = full(given).numpy()
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_an_export_takes_bytes_floats_and_files_of_any_size(file, tmp_path):
    encoder = pretrained(file, size=16)
    folder = tfmeta.export.save(PrototypicalNetwork(encoder), tmp_path)
    signatures = tf.saved_model.load(str(folder)).signatures
    given = pixels(2, 21, 30, 3)
    expected = encoder(given).numpy()
    for name, dtype in (("embed", tf.uint8), ("embed_float", tf.float32)):
        found = signatures[name](examples=tf.constant(given, dtype))["embeddings"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    other = pixels(1, 50, 9, 3)[0]
    files = [tf.io.encode_png(picture) for picture in (*given, other)]
    found = signatures["embed_encoded"](examples=tf.stack(files))["embeddings"]
    np.testing.assert_allclose(found[:2], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[2], encoder(other[None])[0], rtol=1e-5, atol=1e-6)


def test_the_name_of_the_data_is_found_inside_models_and_survives(tmp_path):
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, PretrainedFeatures("imagenet")(inputs))
    outer = keras.Sequential([inner, keras.layers.Dense(2)])
    learner = PrototypicalNetwork(outer)
    assert learner.pretraining_data == pretraining_data(outer) == "imagenet"
    learner.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert loaded.pretraining_data == "imagenet"
    assert pretraining_data(Conv4()) is None
    both = keras.Sequential([inner, PretrainedFeatures("words")])
    assert pretraining_data(both) == "imagenet+words"
    assert pretraining_data(None) is None


def test_random_weights_were_trained_on_nothing():
    encoder = pretrained("efficientnet_lite0", weights=None, size=32)
    assert pretraining_data(encoder) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "resnet"}, "`name` must be one of efficientnet_lite0"),
        ({"name": "os"}, "`name` must be one of"),
        ({"size": 0}, "`size` must be a positive integer or None"),
        ({"size": 8.0}, "`size` must be a positive integer or None"),
        ({"input_shape": (8, 8)}, "`input_shape` must be"),
        ({"input_shape": (8, 8, 2)}, "`input_shape` must be"),
        ({"input_shape": (0, 8, 3)}, "`input_shape` must be"),
    ],
)
def test_refuses_by_the_name_of_the_argument(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        pretrained(**{"name": "efficientnet_lite0", "weights": None, **arguments})


def test_says_which_file_of_weights_is_missing(tmp_path):
    for name in ("efficientnet_lite0", "MobileNetV3Small"):
        with pytest.raises(FileNotFoundError, match=r"none\.h5"):
            pretrained(name, weights=tmp_path / "none.h5")
