"""What a learner trains on is what it is exported and served with."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta import export
from tfmeta.classifying.by_run import classify_by_run
from tfmeta.classifying.picture_task import find_picture_task
from tfmeta.classifying.run_pictures import read_for_run
from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.learners import MAML, Baseline, PrototypicalNetwork
from tfmeta.signatures.example_spec import example_spec

RNG = np.random.default_rng(0)


def table(shape, dtype="uint8", classes=6):
    examples = RNG.integers(0, 100, (classes * 6, *shape)).astype(dtype)
    return ClassTable.from_arrays("t", examples, [f"c{i // 6}" for i in range(36)])


def grey(scale=1 / 255):
    """An encoder of grey pictures without an axis of channels."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Rescaling(scale),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(4, 3, strides=4),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )


LEARNERS = {
    "prototypical": PrototypicalNetwork,
    "maml": lambda encoder: MAML(encoder, ways=3, seed=0),
    "baseline": lambda encoder: Baseline(encoder, 6, head_steps=2, seed=0),
}


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize(
    ("encoder", "shape", "advice"),
    [
        (lambda: Conv4((28, 28, 1), filters=4), (28, 28), r"examples\[\.\.\., None\]"),
        (grey, (28, 28, 1), "build the encoder for this shape"),
        (lambda: Conv4((28, 28, 1), filters=4), (20, 28, 1), "reshape the examples"),
    ],
)
def test_other_shapes_than_the_encoders_are_refused_before_training(
    name, encoder, shape, advice
):
    learner = LEARNERS[name](encoder())
    learner.compile("sgd")
    before = learner.get_weights()
    data = table(shape)
    batches = Episodes(data, ways=3, shots=1, queries=2).as_dataset(steps=2)
    if name == "baseline":
        batches = as_supervised(data, batch_size=4, seed=0)
    with pytest.raises(ValueError, match=rf"examples must have the shape.*{advice}"):
        learner.fit(batches, verbose=0)
    for ours, theirs in zip(learner.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "name",
    ["prototypical", pytest.param("maml", marks=pytest.mark.slow), "baseline"],
)
def test_grey_pictures_without_channels_go_all_the_way(name, tmp_path):
    data = table((28, 28))
    learner = LEARNERS[name](grey())
    learner.compile(keras.optimizers.SGD(1e-3))
    episodes = Episodes(data, ways=3, shots=2, queries=2)
    if name == "baseline":
        learner.fit(as_supervised(data, batch_size=12, seed=0), verbose=0)
    else:
        learner.fit(episodes.as_dataset(steps=2), verbose=0)
    folder = export.save(learner, tmp_path / "model")
    classify = tf.saved_model.load(str(folder)).signatures["classify"]
    inputs = episodes.batch(0)[0]
    labels = tf.argmax(inputs["support_labels"][0], axis=-1, output_type=tf.int32)
    found = classify(
        support=inputs["support"][0], support_labels=labels, query=inputs["query"][0]
    )["probabilities"]
    wanted = tf.nn.softmax(learner.episode_logits(inputs)[0])
    np.testing.assert_allclose(found, wanted, atol=1e-5)

    # And from files.
    for way in range(3):
        (tmp_path / "support" / f"c{way}").mkdir(parents=True)
        (tmp_path / "query").mkdir(exist_ok=True)
        for row in range(2):
            picture = Image.fromarray(inputs["support"][0, 2 * way + row].numpy())
            picture.save(tmp_path / "support" / f"c{way}" / f"{row}.png")
            picture = Image.fromarray(inputs["query"][0, 2 * way + row].numpy())
            picture.save(tmp_path / "query" / f"{2 * way + row}.png")
    task = find_picture_task(tmp_path / "support", tmp_path / "query")
    answers = classify_by_run(folder, read_for_run(folder, task, invert="no"))
    np.testing.assert_allclose(answers.probabilities, found, atol=1e-6)


@pytest.mark.parametrize(
    ("encoder", "dtype"),
    [
        (grey, "uint8"),
        (lambda: grey(1 / 127.5), "uint8"),
        (lambda: grey(2.0), "float32"),  # of a series, say
    ],
)
def test_grey_pictures_are_served_as_pixels(encoder, dtype):
    assert example_spec(encoder(), None).dtype == dtype


@pytest.mark.parametrize(
    "dtype",
    [
        *("uint16", "bool", "float16"),
        *(
            pytest.param(d, marks=pytest.mark.slow)
            for d in ("int64", "int8", "float64")
        ),
    ],
)
def test_other_dtypes_go_all_the_way(dtype, tmp_path):
    inputs = keras.Input((6,), dtype=dtype)
    outputs = keras.layers.Dense(4)(keras.ops.cast(inputs, "float32"))
    learner = PrototypicalNetwork(keras.Model(inputs, outputs))
    learner.compile("sgd")
    episodes = Episodes(table((6,), dtype), ways=3, shots=2, queries=2)
    learner.fit(episodes.as_dataset(steps=1), verbose=0)
    folder = export.save(learner, tmp_path / "model")
    classify = tf.saved_model.load(str(folder)).signatures["classify"]
    batch = episodes.batch(0)[0]
    labels = tf.argmax(batch["support_labels"][0], axis=-1, output_type=tf.int32)
    found = classify(
        support=batch["support"][0], support_labels=labels, query=batch["query"][0]
    )["probabilities"]
    wanted = tf.nn.softmax(learner.episode_logits(batch)[0])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_free_sizes_are_taken_as_they_come():
    inputs = keras.Input((None, 3))
    outputs = keras.layers.GlobalAveragePooling1D()(inputs)
    learner = PrototypicalNetwork(keras.Model(inputs, outputs))
    for length in (4, 7):
        episodes = Episodes(table((length, 3), "float32"), ways=3, shots=1, queries=2)
        assert learner.episode_logits(episodes.batch(0)[0]).shape == (1, 6, 3)
