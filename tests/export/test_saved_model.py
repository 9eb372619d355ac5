"""Exports answer as their learners do, where neither tfmeta nor Keras is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.encoders import Conv4
from tfmeta.learners import FewShotLearner, PrototypicalNetwork

HERE = Path(__file__).parent
SHAPE = (28, 28, 1)
TOLERANCE = 1e-5

# Labels of the support, number of queries.
TASKS = {
    "three_ways_two_shots": ([0, 0, 1, 1, 2, 2], 4),
    "five_ways_two_shots": ([0, 1, 2, 3, 4] * 2, 7),
    "uneven_and_shuffled": ([3, 0, 1, 1, 2, 0, 1], 1),
    "no_query": ([0, 1, 2], 0),
    "one_way": ([0, 0], 2),
}
WRONG = {
    "gap": ([0, 1, 3], 3, "without a gap.*[0 1 3]"),
    "huge_label": ([0, 2**31 - 1], 2, "must be below 4096, the most.*[0 2147483647]"),
    "one_too_high": ([*range(18), 4096], 19, "must be below 4096"),
    "highest_of_all": ([*range(18), 4095], 19, "without a gap"),
    "no_zero": ([1, 2], 2, "without a gap.*[1 2]"),
    "negative": ([0, -1, 1], 3, "must not be negative.*[0 -1 1]"),
    "too_few_labels": ([0, 1], 3, "one label for each support example.*[3 2]"),
    "too_many_labels": ([0, 1, 2], 2, "one label for each support example.*[2 3]"),
    "empty_support": ([], 0, "`support` must have at least one example"),
}


def make_pictures(number: int, seed: int) -> np.ndarray:
    """Blocks of one random grey each, so that pictures differ at any scale."""
    coarse = np.random.default_rng(seed).integers(0, 256, (number, 4, 4, 1))
    return coarse.repeat(7, axis=1).repeat(7, axis=2).astype(np.uint8)


def build_learner(dtype: str = "float32") -> PrototypicalNetwork:
    """A learner with its own batch statistics, which tells pictures apart."""
    encoder = Conv4(SHAPE, filters=8, seed=0, dtype=dtype)
    layers = [layer for layer in encoder.layers if "normalization" in layer.name]
    for layer in layers:
        layer.momentum = 0.0  # one batch gives all statistics
    encoder(make_pictures(30, seed=2), training=True)
    layers[-1].gamma.assign(np.linspace(1.0, 3.0, 8))
    layers[-1].beta.assign(np.linspace(1.0, -1.0, 8))
    return PrototypicalNetwork(encoder)


@pytest.fixture(scope="module")
def learner():
    return build_learner()


@pytest.fixture(scope="module")
def exported(learner, tmp_path_factory):
    return export.save(
        learner,
        tmp_path_factory.mktemp("models") / "glyphs",
        description={"training data": "none", "accuracy": [0.2, None]},
    )


@pytest.fixture(scope="module")
def pictures():
    return make_pictures(20, seed=1)


@pytest.fixture(scope="module")
def responses(exported, pictures, tmp_path_factory):
    """What the export answers in a process without tfmeta and Keras."""
    requests = {
        f"{signature}_{rows}/{signature}/examples": pictures[:rows].astype(dtype)
        for signature, dtype in (
            ("embed", np.uint8),
            ("serving_default", np.uint8),
            ("embed_float", np.float32),
        )
        for rows in (0, 1, 9)
    }
    requests["wrong_dtype/embed/examples"] = pictures.astype(np.float32)
    requests["wrong_size/embed/examples"] = pictures[:, :20]
    tasks = {name: (labels, len(labels), n) for name, (labels, n) in TASKS.items()}
    tasks |= {name: (labels, rows, 2) for name, (labels, rows, _) in WRONG.items()}
    for name, (labels, rows, queries) in tasks.items():
        requests[f"{name}/classify/support"] = pictures[:rows]
        requests[f"{name}/classify/support_labels"] = np.array(labels, np.int32)
        requests[f"{name}/classify/query"] = pictures[20 - queries :]
    folder = tmp_path_factory.mktemp("requests")
    np.savez(folder / "in.npz", **requests)
    run_without_keras("answer_requests.py", exported, folder / "in.npz", folder / "out")
    with np.load(folder / "out.npz") as arrays:
        return dict(arrays)


def run_without_keras(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [
            sys.executable,
            HERE / "without_keras.py",
            HERE / script,
            *map(str, arguments),
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected_probabilities(learner, support, labels, query):
    """By the learner's public verbs, not by what the export calls."""
    one_hot = np.eye(max(labels) + 1, dtype=np.float32)[labels]
    state = learner.adapt(support[None], one_hot[None])
    return tf.nn.softmax(learner.predict_query(state, query[None])[0])


@pytest.mark.parametrize("loader", ["objects", "session"])
@pytest.mark.parametrize("signature", ["embed", "serving_default", "embed_float"])
def test_embeddings_are_those_of_the_learner(
    learner, pictures, responses, signature, loader
):
    expected = learner.encoder(pictures[:9], training=False)
    assert np.std(expected, axis=0).max() > 0.1
    for rows in (0, 1, 9):
        found = responses[f"{loader}/{signature}_{rows}/embeddings"]
        assert found.dtype == np.float32
        assert found.shape == (rows, 8)
        np.testing.assert_allclose(found, expected[:rows], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("loader", ["objects", "session"])
@pytest.mark.parametrize("task", TASKS)
def test_probabilities_are_those_of_the_learner(
    learner, pictures, responses, task, loader
):
    labels, queries = TASKS[task]
    found = responses[f"{loader}/{task}/probabilities"]
    assert found.dtype == np.float32
    assert found.shape == (queries, max(labels) + 1)
    np.testing.assert_allclose(found.sum(axis=1), np.ones(queries), atol=TOLERANCE)
    logits = responses[f"{loader}/{task}/logits"]
    np.testing.assert_allclose(tf.nn.softmax(logits), found, atol=TOLERANCE)
    assert responses[f"{loader}/{task}/ways"] == max(labels) + 1
    if queries == 0:
        return
    support, query = pictures[: len(labels)], pictures[20 - queries :]
    expected = expected_probabilities(learner, support, labels, query)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    if task == "five_ways_two_shots":
        assert np.max(expected) > 0.5 and len(set(found.argmax(axis=1))) > 1


@pytest.mark.parametrize("loader", ["objects", "session"])
@pytest.mark.parametrize("task", WRONG)
def test_wrong_labels_are_refused(responses, task, loader):
    message = str(responses[f"{loader}/{task}/error"])
    for part in WRONG[task][2].split(".*"):
        assert part in message


def test_other_dtypes_and_sizes_are_refused(responses):
    message = str(responses["objects/wrong_dtype/error"])
    assert "expected to be a uint8 tensor but is a float tensor" in message
    # A session casts what it is fed.
    for loader in ("objects", "session"):
        assert f"{loader}/wrong_size/error" in responses


def test_description_file(exported, learner):
    content = json.loads((exported / "tfmeta.json").read_text("utf-8"))
    embed = {
        "batchable": True,
        "inputs": {"examples": {"shape": [None, 28, 28, 1], "dtype": "uint8"}},
        "outputs": {"embeddings": {"shape": [None, 8], "dtype": "float32"}},
    }
    signatures = content.pop("signatures")
    embeds = ["embed", "embed_float", "embed_encoded"]
    assert list(signatures) == [*embeds, "classify", "classify_encoded"]
    assert signatures["embed"] == embed
    embed["inputs"]["examples"]["dtype"] = "float32"
    assert signatures["embed_float"] == embed
    assert signatures["classify"] == {
        "batchable": False,
        "inputs": {
            "support": {"shape": [None, 28, 28, 1], "dtype": "uint8"},
            "support_labels": {"shape": [None], "dtype": "int32"},
            "query": {"shape": [None, 28, 28, 1], "dtype": "uint8"},
        },
        "outputs": {
            "probabilities": {"shape": [None, None], "dtype": "float32"},
            "logits": {"shape": [None, None], "dtype": "float32"},
            "ways": {"shape": [], "dtype": "int32"},
        },
    }
    assert signatures["embed_encoded"] == {
        "batchable": True,
        "inputs": {"examples": {"shape": [None], "dtype": "string"}},
        "outputs": {"embeddings": {"shape": [None, 8], "dtype": "float32"}},
    }
    versions = content.pop("versions")
    assert versions["tensorflow"] == tf.__version__
    assert set(versions) == {"tfmeta", "keras", "tensorflow"}
    assert content == {
        "format_version": 2,
        "learner": "PrototypicalNetwork",
        "encoder": "conv4",
        "parameters": sum(w.shape.num_elements() for w in learner.weights),
        "transductive": False,
        "pretraining_data": None,
        "example": {"shape": [28, 28, 1], "dtype": "uint8", "value_range": [0, 255]},
        "embedding_shape": [8],
        "most_ways": 4096,
        "open_set_thresholds": [],
        "default_signature": "embed",
        "description": {"training data": "none", "accuracy": [0.2, None]},
    }


def test_the_file_describes_the_model_that_lies_beside_it(exported):
    signatures = json.loads((exported / "tfmeta.json").read_text("utf-8"))["signatures"]
    loaded = tf.saved_model.load(exported).signatures
    assert set(loaded) == {*signatures, "serving_default"}
    for name, signature in signatures.items():
        for side, specs in (
            ("inputs", loaded[name].structured_input_signature[1]),
            ("outputs", loaded[name].structured_outputs),
        ):
            assert signature[side] == {
                key: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}
                for key, spec in specs.items()
            }


@pytest.mark.parametrize("endpoint", ["embed", "serving_default", "embed_float"])
def test_keras_layer_from_the_export(learner, exported, pictures, endpoint):
    layer = keras.layers.TFSMLayer(exported, call_endpoint=endpoint)
    dtype = np.float32 if endpoint == "embed_float" else np.uint8
    found = layer(pictures.astype(dtype))
    expected = learner.encoder(pictures, training=False)
    np.testing.assert_allclose(found["embeddings"], expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("dtype", "direct_dtype", "exported_dtype"),
    [
        ("mixed_bfloat16", "bfloat16", "float32"),
        pytest.param("float16", "float16", "float32", marks=pytest.mark.slow),
        pytest.param("float64", "float64", "float64", marks=pytest.mark.slow),
    ],
)
def test_outputs_are_at_least_float32(
    tmp_path, pictures, dtype, direct_dtype, exported_dtype
):
    learner = build_learner(dtype)
    loaded = tf.saved_model.load(export.save(learner, tmp_path)).signatures
    embeddings = loaded["embed"](examples=tf.constant(pictures))["embeddings"]
    labels = [0, 1, 2] * 2
    probabilities = loaded["classify"](
        support=tf.constant(pictures[:6]),
        support_labels=tf.constant(labels),
        query=tf.constant(pictures[6:]),
    )["probabilities"]
    assert embeddings.dtype == probabilities.dtype == exported_dtype
    direct = learner.encoder(pictures, training=False)
    assert direct.dtype == direct_dtype
    np.testing.assert_allclose(
        embeddings, tf.cast(direct, exported_dtype), rtol=0, atol=TOLERANCE
    )
    expected = expected_probabilities(learner, pictures[:6], labels, pictures[6:])
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=TOLERANCE)


class LinearHead(FewShotLearner):
    """Fits a linear classifier by three gradient steps: no metric learner."""

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        features = self._features(support)
        weights = tf.zeros(
            [tf.shape(support)[0], features.shape[-1], tf.shape(support_labels)[-1]]
        )
        for _ in range(3):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                logits = tf.matmul(features, weights)
                loss = tf.nn.softmax_cross_entropy_with_logits(support_labels, logits)
                loss = tf.reduce_sum(tf.reduce_mean(loss, axis=1))
            weights -= tape.gradient(loss, weights)
        return {"weights": weights}

    def predict_query(self, state, query, *, query_mask=None, training=False):
        return tf.matmul(self._features(query), state["weights"])

    def _features(self, examples):
        flat = tf.reshape(examples, [-1, *SHAPE])
        features = self.encoder(flat)
        return tf.reshape(features, [*tf.unstack(tf.shape(examples)[:2]), 8])


def test_a_learner_that_embeds_nothing_classifies_alone(tmp_path, pictures):
    learner = LinearHead(build_learner().encoder)
    folder = export.save(learner, tmp_path)
    loaded = tf.saved_model.load(folder).signatures
    assert set(loaded) == {"classify", "classify_encoded", "serving_default"}
    content = json.loads((folder / "tfmeta.json").read_text("utf-8"))
    assert content["default_signature"] == "classify"
    assert content["embedding_shape"] is None
    labels = [0, 1, 2, 1]
    found = loaded["serving_default"](
        support=tf.constant(pictures[:4]),
        support_labels=tf.constant(labels),
        query=tf.constant(pictures[4:9]),
    )["probabilities"]
    expected = expected_probabilities(learner, pictures[:4], labels, pictures[4:9])
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert expected.numpy().max() > 0.5


def test_raw_float_input_leaves_one_embed(tmp_path, learner):
    folder = export.save(learner, tmp_path, input_dtype="float32")
    content = json.loads((folder / "tfmeta.json").read_text("utf-8"))
    assert list(content["signatures"]) == ["embed", "classify"]
    assert content["example"] == {
        "shape": [28, 28, 1],
        "dtype": "float32",
        "value_range": None,
    }


def test_versions_follow_each_other(tmp_path):
    learner = PrototypicalNetwork(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    )
    assert export.save(learner, tmp_path / "m", version=3) == tmp_path / "m" / "3"
    before = (tmp_path / "m" / "3" / "saved_model.pb").read_bytes()
    with pytest.raises(FileExistsError, match="version=3"):
        export.save(learner, tmp_path / "m", version=3)
    assert export.save(learner, str(tmp_path / "m")) == tmp_path / "m" / "4"
    assert (tmp_path / "m" / "3" / "saved_model.pb").read_bytes() == before
    visible = [p.name for p in (tmp_path / "m").iterdir() if p.name[0] != "."]
    assert sorted(visible) == ["3", "4"]


def test_a_failing_export_leaves_nothing(tmp_path):
    class Unfinished(FewShotLearner):
        def adapt(self, *arguments, **options):
            raise RuntimeError("not yet")

    with pytest.raises(RuntimeError, match="not yet"):
        export.save(Unfinished(build_learner().encoder), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_wrong_arguments(tmp_path, learner):
    with pytest.raises(TypeError, match="Received: Functional"):
        export.save(learner.encoder, tmp_path)
    for description in ({"x": object()}, {"x": float("nan")}, ["a"]):
        with pytest.raises(TypeError, match="`description`"):
            export.save(learner, tmp_path, description=description)
    assert list(tmp_path.iterdir()) == []
