"""Encoders from `.keras` files and SavedModels, hostile ones too."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

import tfmeta
from tfmeta.encoders import Conv4, pretrained
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.encoders.pretrained.frozen_graph import FrozenGraph
from tfmeta.learners import PrototypicalNetwork


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_a_keras_file_of_one_size_gets_pictures_of_any(tmp_path):
    conv4 = Conv4((16, 16, 3), filters=4, blocks=2, seed=0)
    conv4.save(tmp_path / "conv4.keras")
    encoder = pretrained(tmp_path / "conv4.keras")
    given = pixels(2, 16, 16, 3)
    np.testing.assert_allclose(encoder(given), conv4(given), rtol=1e-6)
    assert encoder(pixels(1, 40, 9, 3)).shape == (1, 64)
    with pytest.raises(ValueError, match="`size` must be 16"):
        pretrained(tmp_path / "conv4.keras", size=8)


def test_a_keras_file_of_grey_pictures_takes_grey_ones(tmp_path):
    conv4 = Conv4((16, 16, 1), filters=4, blocks=2, seed=0)
    conv4.save(tmp_path / "grey.keras")
    encoder = pretrained(tmp_path / "grey.keras", input_shape=(None, None, 1))
    given = pixels(2, 16, 16, 1)
    np.testing.assert_allclose(encoder(given), conv4(given), rtol=1e-6)
    with pytest.raises(ValueError, match="`input_shape` must have 1 channels"):
        pretrained(tmp_path / "grey.keras")


def test_a_keras_file_keeps_what_it_was_trained_on(tmp_path):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    keras.Model(inputs, PretrainedFeatures("imagenet")(x)).save(tmp_path / "a.keras")
    encoder = pretrained(tmp_path / "a.keras")
    assert tfmeta.encoders.pretraining_data(encoder) == "imagenet"


def test_a_keras_file_of_vectors_comes_frozen_as_it_is(tmp_path):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.save(tmp_path / "vectors.keras")
    encoder = pretrained(tmp_path / "vectors.keras")
    given = np.ones((2, 5), "float32")
    np.testing.assert_allclose(encoder(given), model(given), rtol=1e-6)
    assert encoder.input_shape == (None, 5) and not encoder.trainable_weights
    with pytest.raises(ValueError, match="`size` must be None"):
        pretrained(tmp_path / "vectors.keras", size=8)


def test_a_hostile_keras_file_is_refused(tmp_path):
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    path = tmp_path / "lambda.keras"
    model.save(path)
    with pytest.raises(ValueError, match=r"loads in safe mode.*lambda\.keras"):
        pretrained(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"whole \.keras file.*lambda\.keras"):
        pretrained(path)


def test_a_model_file_has_weights_of_its_own(tmp_path):
    Conv4((8, 8, 3), filters=4, blocks=2).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="`weights` must be 'pretrained'"):
        pretrained(tmp_path / "a.keras", weights=None)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    conv4 = Conv4((16, 16, 3), filters=4, blocks=2, seed=0)
    folder = tmp_path_factory.mktemp("served") / "conv4"
    return conv4, tfmeta.export.save(PrototypicalNetwork(conv4), folder)


def test_a_saved_model_lies_in_the_file_of_the_learner(exported, tmp_path):
    conv4, folder = exported
    encoder = pretrained(folder)
    given = pixels(2, 16, 16, 3)
    expected = conv4(given).numpy()
    np.testing.assert_allclose(encoder(given), expected, rtol=1e-5, atol=1e-6)
    assert encoder.name == "conv4" and not encoder.trainable_weights
    learner = PrototypicalNetwork(encoder)
    learner.save(tmp_path / "a.keras")
    folder.rename(folder.with_name("moved"))
    try:
        loaded = keras.saving.load_model(tmp_path / "a.keras")  # safe mode
        np.testing.assert_allclose(
            loaded.encoder(given), expected, rtol=1e-5, atol=1e-6
        )
        again = tfmeta.export.save(loaded, tmp_path / "again")
    finally:
        folder.with_name("moved").rename(folder)
    embed = tf.saved_model.load(str(again)).signatures["embed"]
    found = embed(examples=tf.constant(given))["embeddings"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="`trainable` must be False"):
        pretrained(folder, trainable=True)


class Reads(tf.Module):
    """Looks into a file of whoever runs it."""

    def __init__(self, path):
        self.path = str(path)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, pictures):
        secret = tf.strings.length(tf.io.read_file(self.path))
        return tf.reduce_mean(pictures, (1, 2)) + tf.cast(secret, tf.float32)


class Counts(tf.Module):
    """Keeps a state."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, pictures):
        return tf.reduce_mean(pictures, (1, 2)) + tf.random.uniform(())


@pytest.mark.parametrize(
    ("make", "op"),
    [(lambda path: Reads(path), "ReadFile"), (lambda _: Counts(), "Ran")],
)
def test_a_saved_model_that_does_more_than_compute_is_refused(tmp_path, make, op):
    (tmp_path / "secret").write_text("12345")
    module = make(tmp_path / "secret")
    folder = str(tmp_path / "model")
    tf.saved_model.save(module, folder, signatures=module.__call__)
    with pytest.raises(ValueError, match=f"touches files.*Received: {op}"):
        pretrained(folder)


def test_a_learner_file_with_a_hostile_graph_is_refused(exported, tmp_path):
    layer = pretrained(exported[1]).get_layer("backbone").layer.get_layer("graph")
    graph = GraphDef.FromString(layer.graph.numpy().tobytes())
    node = next(n for n in graph.node if n.op == "Relu")
    node.op = "WriteFile"
    content = np.frombuffer(graph.SerializeToString(), np.uint8)
    config = {**layer.get_config(), "graph_bytes": len(content)}
    hostile = FrozenGraph.from_config(config)
    hostile.graph.assign(content)
    with pytest.raises(ValueError, match="WriteFile"):
        hostile(np.zeros((1, 16, 16, 3), "float32"))


def test_a_damaged_saved_model_and_one_without_signatures_are_named(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ValueError, match="broken"):
        pretrained(broken)
    tf.saved_model.save(tf.Module(), str(tmp_path / "none"))
    with pytest.raises(ValueError, match="which has none"):
        pretrained(tmp_path / "none")
