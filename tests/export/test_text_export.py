"""A learner of text answers raw strings where neither tfmeta nor Keras is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.encoders import TextEncoder
from tfmeta.learners import PrototypicalNetwork

HERE = Path(__file__).parent
TEXTS = [
    "please block my card",
    "my card was stolen, block it",
    "will it rain tomorrow in Rome",
    "is rain expected",
    "Größe ändern",
    "",
]
QUERIES = ["card blocked?", "weather, rain", "nothing known", "ändern"]


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(
        TextEncoder(TEXTS, features=256, unknown_columns=64, seed=0)
    )


@pytest.fixture(scope="module")
def exported(learner, tmp_path_factory):
    return export.save(learner, tmp_path_factory.mktemp("models") / "intents")


@pytest.fixture(scope="module")
def responses(exported, tmp_path_factory):
    """What the export answers in a process without tfmeta and Keras."""
    texts = np.array([text.encode() for text in TEXTS])
    requests = {
        f"{signature}_{rows}/{signature}/examples": texts[:rows]
        for signature in ("embed", "serving_default")
        for rows in (0, 1, 6)
    }
    requests["task/classify/support"] = texts[:5]
    requests["task/classify/support_labels"] = np.array([0, 0, 1, 1, 2], np.int32)
    requests["task/classify/query"] = np.array([text.encode() for text in QUERIES])
    folder = tmp_path_factory.mktemp("requests")
    np.savez(folder / "in.npz", **requests)
    done = subprocess.run(
        [
            *(sys.executable, HERE / "without_keras.py", HERE / "answer_requests.py"),
            *(exported, folder / "in.npz", folder / "out"),
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["objects", "session"])
def test_strings_in_answers_out(learner, responses, loader):
    embeddings = learner.encoder(tf.constant(TEXTS)).numpy()
    for signature in ("embed", "serving_default"):
        for rows in (0, 1, 6):
            found = responses[f"{loader}/{signature}_{rows}/embeddings"]
            assert found.shape == (rows, 256) and found.dtype == np.float32
            np.testing.assert_allclose(found, embeddings[:rows], atol=1e-5)
    state = learner.adapt(
        tf.constant([TEXTS[:5]]), tf.one_hot([[0, 0, 1, 1, 2]], depth=3)
    )
    logits = learner.predict_query(state, tf.constant([QUERIES]))
    found = responses[f"{loader}/task/probabilities"]
    np.testing.assert_allclose(found, tf.nn.softmax(logits[0]), atol=1e-5)
    assert found.argmax(axis=1)[[0, 1, 3]].tolist() == [0, 1, 2]


def test_numbers_are_refused(exported):
    embed = tf.saved_model.load(exported).signatures["embed"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="to be a string tensor"):
        embed(examples=tf.zeros(3))


def test_description_file(exported):
    content = json.loads((exported / "tfmeta.json").read_text("utf-8"))
    assert content["example"] == {"shape": [], "dtype": "string", "value_range": None}
    assert content["default_signature"] == "embed"
    strings = {"shape": [None], "dtype": "string"}
    assert content["signatures"] == {
        "embed": {
            "batchable": True,
            "inputs": {"examples": strings},
            "outputs": {"embeddings": {"shape": [None, 256], "dtype": "float32"}},
        },
        "classify": {
            "batchable": False,
            "inputs": {
                "support": strings,
                "support_labels": {"shape": [None], "dtype": "int32"},
                "query": strings,
            },
            "outputs": {
                "probabilities": {"shape": [None, None], "dtype": "float32"},
                "logits": {"shape": [None, None], "dtype": "float32"},
                "ways": {"shape": [], "dtype": "int32"},
            },
        },
    }


def test_strings_cannot_come_as_anything_else(learner, tmp_path):
    with pytest.raises(ValueError, match=r"`input_dtype` must be 'string'.*'uint8'"):
        export.save(learner, tmp_path / "intents", input_dtype="uint8")
