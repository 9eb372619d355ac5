"""Warm-up requests are answered where neither tfmeta nor Keras is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.encoders import Conv4, TextEncoder
from tfmeta.export.warmup import WARMUP_FILE, to_warm_up, with_default, write_warmup
from tfmeta.layers import ResizedPictures
from tfmeta.learners import (
    MAML,
    PrototypicalNetwork,
)

HERE = Path(__file__).parent


def dense():
    layer = keras.layers.Dense(
        3, kernel_initializer=keras.initializers.GlorotUniform(seed=0), name="layer"
    )
    return keras.Sequential([keras.Input((4,)), layer], name="dense")


def of_free_size():
    layers = [ResizedPictures(8), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(4)]
    return keras.Sequential([keras.Input((None, None, 3)), *layers])


def of_64_at_least():
    """Takes no series of the length that is tried."""
    layers = [keras.layers.Conv1D(2, 64), keras.layers.GlobalAveragePooling1D()]
    return keras.Sequential([keras.Input((None, 2)), *layers])


LEARNERS = {
    "inner_loop": lambda: MAML(
        Conv4((8, 8, 1), filters=4, blocks=1, seed=0), ways=3, inner_steps=1, seed=0
    ),
    "regression": lambda: MAML(dense(), ways=2, task="regression", seed=0),
    "text": lambda: PrototypicalNetwork(TextEncoder(["a b c", "b c d"], seed=0)),
    "free_size": lambda: PrototypicalNetwork(of_free_size()),
    "too_small": lambda: PrototypicalNetwork(of_64_at_least()),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: export.save(make(), folder / name) for name, make in LEARNERS.items()}


@pytest.fixture(scope="module")
def replayed(exported, tmp_path_factory):
    out = tmp_path_factory.mktemp("replayed") / "out.json"
    done = subprocess.run(
        [
            *(sys.executable, HERE / "without_keras.py", HERE / "replay_warmup.py"),
            *(out, *exported.values()),
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(exported, json.loads(out.read_text()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LEARNERS])
def test_each_signature_is_answered_with_finite_numbers(exported, replayed, name):
    about = json.loads((exported[name] / "tfmeta.json").read_text("utf-8"))
    # Of those that a server may join, where there are any.
    joined = {n for n, s in about["signatures"].items() if s["batchable"]}
    wanted = {*(joined or about["signatures"]), "serving_default"}
    wanted = set() if name == "too_small" else wanted
    answered = {record["signature"]: record for record in replayed[name]}
    assert set(answered) == wanted
    assert len(replayed[name]) == len(wanted)
    for signature, record in answered.items():
        known = signature == "serving_default" and about["default_signature"]
        known = about["signatures"][known or signature]
        assert record["inputs"] == sorted(known["inputs"])
        assert set(record["outputs"]) == set(known["outputs"])
        assert record["not_finite"] == 0
        assert record["model"] == ""
        assert record["bytes"] < 200_000
        shapes = record["outputs"].values()
        # An adapted state may have parts without a number.
        assert shapes and (signature == "adapt" or all(0 not in s for s in shapes))


def test_both_families_are_warmed_where_they_go_on_from_a_state(replayed):
    names = {name: {r["signature"] for r in replayed[name]} for name in replayed}
    assert "classify_adapted" in names["inner_loop"]
    assert "predict_adapted" in names["regression"]
    assert "embed_encoded" in names["free_size"]


@pytest.mark.parametrize(
    "name", ["regression", pytest.param("inner_loop", marks=pytest.mark.slow)]
)
def test_the_same_model_has_the_same_requests(exported, tmp_path, name):
    again = export.save(LEARNERS[name](), tmp_path / "again")
    before = (exported[name] / WARMUP_FILE).read_bytes()
    assert (again / WARMUP_FILE).read_bytes() == before


def test_what_is_too_large_to_be_sent_is_left_out(tmp_path):
    small, large = {"x": tf.zeros(3)}, {"x": tf.zeros(2**20)}
    write_warmup(tmp_path, {"large": large, "small": small})
    (record,) = tf.data.TFRecordDataset(str(tmp_path / WARMUP_FILE))
    assert b"small" in record.numpy()


def test_a_server_that_joins_requests_loads_the_version():
    requests = {"embed": {"x": 1}, "classify": {"y": 2}}
    assert to_warm_up(requests, {"embed"}) == {"embed": {"x": 1}}
    assert to_warm_up(requests, set()) == requests


def test_the_default_is_asked_as_the_signature_that_it_is():
    requests = {"embed": {"x": 1}, "classify": {"y": 2}}
    assert with_default(requests, "classify")["serving_default"] == {"y": 2}
    assert with_default(requests, "other") == requests
