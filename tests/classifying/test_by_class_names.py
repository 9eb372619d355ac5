import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta import export
from tfmeta.classifying.by_class_names import classify_by_class_names
from tfmeta.classifying.picture_task import find_named_task
from tfmeta.classifying.run_pictures import read_for_run
from tfmeta.layers import TermCounts
from tfmeta.learners import ZeroShotPrototypicalNetwork

NAMES = ("red fox", "sky_blue")


@pytest.fixture
def query(tmp_path):
    (tmp_path / "query").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "query" / f"{number}.png")
    return tmp_path / "query"


def encoder():
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.AveragePooling2D(8)]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Flatten()])


def of_texts():
    counts = TermCounts(
        ["\tfox", "\tblue"], np.ones(2), unknown_weight=0.5, character_ngrams=None
    )
    return keras.Sequential([keras.Input((), dtype="string"), counts])


def of_vectors(numbers):
    start = keras.initializers.RandomNormal(seed=0)
    dense = keras.layers.Dense(3, kernel_initializer=start)
    return keras.Sequential([keras.Input((numbers,)), dense])


def embed(texts):
    return np.array([[len(t), t.count("_"), t.count(" "), 1] for t in texts], "f4")


def answer(learner, query):
    model = export.save(learner, query.parent / "model")
    pictures = read_for_run(model, find_named_task(NAMES, query))
    return classify_by_class_names(model, pictures, embed), pictures.query


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["texts", "vectors"])
def test_names_are_the_support(query, kind):
    words = ["red fox", "sky blue"]
    attributes = of_texts() if kind == "texts" else of_vectors(4)
    learner = ZeroShotPrototypicalNetwork(encoder(), attributes)
    found, pictures = answer(learner, query)
    support = np.array(words, object) if kind == "texts" else embed(words)
    state = learner.adapt(tf.constant(support)[None], np.eye(2, dtype="f4")[None])
    logits = learner.predict_query(state, pictures[None])
    np.testing.assert_allclose(found.probabilities, tf.nn.softmax(logits)[0], atol=1e-6)
    assert found.class_names == NAMES
    assert list(found.names) == ["0.png", "1.png", "2.png"]


def test_descriptions_of_another_kind_are_refused(query):
    learner = ZeroShotPrototypicalNetwork(encoder(), of_vectors(7))
    with pytest.raises(ValueError, match=r"vectors of 4 numbers.*shape \(7,\)"):
        answer(learner, query)
