"""Classes enrolled by what is known of them instead of by examples."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.registry import import_dataset
from tfmeta.encoders import TextEncoder
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.learners import ZeroShotPrototypicalNetwork
from tfmeta.testing import check_learner


def dense(inputs, outputs, seed, dtype="float64"):
    kernel = keras.initializers.GlorotUniform(seed=seed)
    return keras.Sequential(
        [
            keras.Input((inputs,), dtype=dtype),
            keras.layers.Dense(outputs, "tanh", kernel_initializer=kernel, dtype=dtype),
        ]
    )


def make_learner(attributes=3, features=4, **options):
    return ZeroShotPrototypicalNetwork(
        dense(5, features, 1),
        dense(attributes, features, 2),
        dtype="float64",
        **options,
    )


def make_inputs(tasks=2, ways=4, seed=0):
    """Way 3 of task 1 has no row that is real, way 0 of both has two."""
    rng = np.random.default_rng(seed)
    labels = np.eye(ways)[[[0, 1, 2, 3, 0]] * tasks]
    mask = np.ones((tasks, ways + 1), bool)
    mask[1, 3] = False
    return {
        "support": rng.normal(size=(tasks, ways + 1, 3)),
        "support_labels": labels,
        "support_mask": mask,
        "query": rng.normal(size=(tasks, 6, 5)),
    }


@pytest.mark.parametrize("unit", [True, False])
def test_logits(unit):
    learner, inputs = make_learner(unit_prototypes=unit), make_inputs()
    w, v = (e.get_weights()[0] for e in (learner.encoder, learner.attribute_encoder))
    g, f = np.tanh(inputs["support"] @ v), np.tanh(inputs["query"] @ w)
    expected = np.full((2, 6, 4), -np.inf)
    for task in range(2):
        prototypes = [(g[task, 0] + g[task, 4]) / 2, *g[task, 1:4]]
        for way, prototype in enumerate(prototypes):
            if unit:
                prototype = prototype / np.linalg.norm(prototype)
            if (task, way) != (1, 3):
                gaps = f[task] - prototype
                expected[task, :, way] = -np.sum(gaps**2, axis=-1)
    for training in (False, True):
        logits = learner.episode_logits(inputs, training=training)
        np.testing.assert_allclose(logits, expected, rtol=1e-10)
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs["support_mask"],
    )
    logits = learner.predict_query(state, inputs["query"])
    np.testing.assert_allclose(logits, expected, rtol=1e-10)
    # With queries embedded already, as an evaluation has them.
    logits = learner.embedded_logits({**inputs, "query": f})
    np.testing.assert_allclose(logits, expected, rtol=1e-10)


@pytest.mark.slow
def test_keeps_every_habit():
    """With descriptions of the shape of examples, as the checks have them."""

    def make(example_shape, ways):
        # In the dtype policy that the check has set.
        encoders = (dense(*example_shape, 4, seed, dtype=None) for seed in (1, 2))
        return ZeroShotPrototypicalNetwork(*encoders)

    check_learner(make)


def make_table(name, classes=40, size=12, seed=0):
    """Examples scatter around a turned copy of their class's attributes."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(6, 6)))[0]
    attributes = rng.normal(size=(classes, 6))
    noise = 0.3 * rng.normal(size=(classes, size, 6))
    examples = (attributes @ turn)[:, None] + noise
    names = [f"{name}{c:02d}" for c in range(classes)]
    return ClassTable.from_arrays(
        name,
        examples.reshape(-1, 6).astype("float32"),
        np.repeat(names, size),
        class_attributes=dict(zip(names, attributes.astype("float32"), strict=True)),
    )


def test_learns_what_attributes_mean_and_is_evaluated():
    train, test = make_table("train"), make_table("test", seed=1)
    learner = ZeroShotPrototypicalNetwork(
        dense(6, 8, 1, "float32"), dense(6, 8, 2, "float32")
    )
    learner.compile(keras.optimizers.Adam(0.02))
    episodes = Episodes(test, ways=5, queries=5, tasks=100, support="attributes")

    def measure(encode_once):
        return evaluate(
            learner,
            episodes,
            num_episodes=600,
            seen_classes=train.origins,
            encode_once=encode_once,
        )

    before = measure(True)
    stream = Episodes(train, ways=10, queries=5, tasks=4, support="attributes")
    learner.fit(stream.as_dataset(), steps_per_epoch=150, verbose=0, shuffle=False)
    after = measure(True)
    assert before.accuracy < 0.45 < 0.75 < after.accuracy
    assert after.accuracy == pytest.approx(measure(False).accuracy, abs=1e-3)
    assert after.protocol["support"] == "attributes"


@pytest.fixture(scope="module")
def intents(reference_data, tmp_path_factory):
    """CLINC150, each intent described by the words of its name."""
    folder = tmp_path_factory.mktemp("text")
    import_dataset("clinc150", reference_data / "text" / "clinc150", data_dir=folder)
    tables = [
        load("clinc150", split=split, data_dir=folder) for split in ("train", "test")
    ]
    return [
        dataclasses.replace(
            table, class_attributes=[n.replace("_", " ") for n in table.class_names]
        )
        for table in tables
    ]


@pytest.mark.slow
def test_unseen_intents_by_their_names_alone(intents):
    """Ten ways by chance would be 0.1."""
    train, test = intents
    learner = ZeroShotPrototypicalNetwork(
        *(TextEncoder(train.examples, features=256, seed=0) for _ in range(2))
    )
    episodes = Episodes(test, ways=10, queries=5, tasks=60, support="attributes")
    inputs, y = episodes.batch(0)
    assert inputs["support"].dtype == tf.string
    learner.compile(keras.optimizers.Adam(1e-3))
    stream = Episodes(train, ways=30, queries=3, support="attributes").as_dataset()
    learner.fit(stream, steps_per_epoch=5, verbose=0, shuffle=False)
    accuracy = np.mean(np.argmax(learner.episode_logits(inputs), -1) == y)
    assert accuracy > 0.6, accuracy


def test_exported_with_descriptions_for_support(tmp_path):
    texts = ["block my card", "weather in Rome", "what is the exchange rate"]
    learner = ZeroShotPrototypicalNetwork(
        dense(5, 16, 1, "float32"), TextEncoder(texts, features=16, seed=0)
    )
    saved = tf.saved_model.load(export.save(learner, tmp_path / "learner"))
    query = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    classify = saved.signatures["classify"]
    spec = classify.structured_input_signature[1]
    assert (spec["support"].dtype, spec["query"].dtype) == (tf.string, tf.float32)
    answer = classify(
        support=tf.constant(texts),
        support_labels=tf.constant([0, 1, 2]),
        query=tf.constant(query),
    )["probabilities"]
    state = learner.adapt(tf.constant([texts]), np.eye(3, dtype="float32")[None])
    expected = tf.nn.softmax(learner.predict_query(state, query[None])[0])
    np.testing.assert_allclose(answer, expected, atol=1e-6)
    embeddings = saved.signatures["embed"](examples=tf.constant(query))["embeddings"]
    np.testing.assert_allclose(embeddings, learner.encoder(query), atol=1e-6)


def test_both_encoders_are_saved_and_trained(tmp_path):
    learner = make_learner(distance="euclidean", unit_prototypes=False)
    learner.compile("sgd")
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    assert type(loaded.distance) is type(learner.distance)
    assert not loaded.unit_prototypes
    inputs = make_inputs()
    before = learner.episode_logits(inputs)
    np.testing.assert_array_equal(loaded.episode_logits(inputs), before)
    start = learner.get_weights()
    learner.train_on_batch(inputs, np.zeros((2, 6), "int32"))
    moved = [np.any(a != b) for a, b in zip(start, learner.get_weights(), strict=True)]
    assert moved == [True] * 4


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        ("dense", TypeError, "`attribute_encoder` must be a keras.Model.*str"),
        (
            dense(3, 5, 0),
            ValueError,
            r"`attribute_encoder` must give.* 4 numbers.* 5\)",
        ),
        (
            keras.Sequential([keras.Input((4, 3)), keras.layers.Activation("tanh")]),
            ValueError,
            r"`attribute_encoder` must map.*vectors.*\(None, 4, 3\)",
        ),
    ],
    ids=["no model", "other length", "no vectors"],
)
def test_attribute_encoders_that_will_not_do(encoder, error, message):
    with pytest.raises(error, match=message):
        ZeroShotPrototypicalNetwork(dense(5, 4, 1), encoder)
