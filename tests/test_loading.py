"""`tfmeta.load` finds out what is at a path, and its classes."""

import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners import MAML, MetaSGD, PrototypicalNetwork, SiameseNetwork
from tfmeta.loading import ServedModel
from tfmeta.losses import TripletLoss
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder


def encoder():
    layers = [keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers])


def task():
    rng = np.random.default_rng(0)
    support, query = (rng.normal(size=(1, 4, 4, 4, 1)).astype("f4") for _ in range(2))
    labels = np.eye(2, dtype="f4")[[[0, 0, 1, 1]]]
    return {"support": support, "support_labels": labels, "query": query}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder without its training: configuration, learner, SavedModels."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    folder.create(TrainConfig(), {})
    learner = PrototypicalNetwork(encoder())
    learner.compile("sgd")
    learner.save(folder.learner_file)
    for _ in range(2):
        tfmeta.export.save(learner, folder.saved_model)
    return folder


MAKERS = {
    "prototypical": lambda: PrototypicalNetwork(encoder(), "cosine"),
    "siamese": lambda: SiameseNetwork(encoder(), TripletLoss()),
    "meta_sgd": lambda: MetaSGD(encoder(), 2),
    "maml": lambda: MAML(encoder(), head="prototypes"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_learner_comes_back_as_it_was(name, tmp_path):
    learner = MAKERS[name]()
    learner.compile("adam")
    file = tmp_path / "own.keras"
    learner.save(file)
    loaded = tfmeta.load(str(file))
    assert type(loaded) is type(learner) and loaded.compiled
    np.testing.assert_allclose(loaded(task()), learner(task()), rtol=1e-5)
    assert not tfmeta.load(file, compile=False).compiled
    learner.save(tmp_path / "unpacked", zipped=False)
    assert type(tfmeta.load(tmp_path / "unpacked")) is type(learner)


def test_a_model_of_keras_comes_back_as_what_it_is(tmp_path):
    encoder().save(tmp_path / "encoder.keras")
    loaded = tfmeta.load(tmp_path / "encoder.keras")
    assert type(loaded) is keras.Sequential and loaded.output_shape == (None, 3)


def test_a_run_gives_its_learner(run):
    assert isinstance(tfmeta.load(run.path), PrototypicalNetwork)


def test_a_saved_model_gives_its_signatures(run):
    learner = tfmeta.load(run.path)
    for path, version in ((run.saved_model, "2"), (run.saved_model / "1", "1")):
        served = tfmeta.load(path)
        assert isinstance(served, ServedModel) and served.path.name == version
        assert set(served.signatures) >= {"classify", "embed", "serving_default"}
        assert served.description["learner"] == "PrototypicalNetwork"
        parts = {name: value[0] for name, value in task().items()}
        parts["support_labels"] = parts["support_labels"].argmax(-1).astype("int32")
        found = served.signatures["classify"](
            **{name: tf.constant(part) for name, part in parts.items()}
        )["probabilities"]
        wanted = tf.nn.softmax(learner(task())[0])
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def _damaged(folder, run):
    file = folder / "damaged.keras"
    file.write_bytes(run.learner_file.read_bytes()[:500])
    return file


def _empty_zip(folder, run):
    with zipfile.ZipFile(folder / "empty.keras", "w"):
        return folder / "empty.keras"


def _weights(folder, run):
    encoder().save_weights(folder / "own.weights.h5")
    return folder / "own.weights.h5"


def _text(folder, run):
    (folder / "notes.txt").write_text("glyphs")
    return folder / "notes.txt"


def _untrained(folder, run):
    RunFolder(folder / "run").create(TrainConfig(), {})
    return folder / "run"


def _newer_run(folder, run):
    config = json.loads(run.config_file.read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format_version": 99}))
    return folder


def _newer_model(folder, run):
    model = shutil.copytree(run.saved_model / "1", folder / "1")
    description = json.loads((model / "tfmeta.json").read_text())
    (model / "tfmeta.json").write_text(json.dumps(description | {"format_version": 99}))
    return folder


def _damaged_model(folder, run):
    shutil.copytree(run.saved_model / "1", folder / "1")
    (folder / "1" / "saved_model.pb").write_bytes(b"none")
    return folder / "1"


def _strange_model(folder, run):
    tf.saved_model.save(tf.Module(), folder)
    return folder


def _lambda(folder, run):
    layers = [keras.Input((2,)), keras.layers.Lambda(lambda x: x)]
    keras.Sequential(layers).save(folder / "code.keras")
    return folder / "code.keras"


def _unknown_class(folder, run):
    """As of a process that has not imported the class."""

    @keras.saving.register_keras_serializable(package="test_loading")
    class Unknown(PrototypicalNetwork):
        pass

    Unknown(encoder()).save(folder / "unknown.keras")
    known = keras.saving.get_custom_objects()
    del known["test_loading>Unknown"]
    return folder / "unknown.keras"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder, run: folder / "nowhere", "nothing is"),
        (lambda folder, run: folder, "a folder that is none of these"),
        (_damaged, "a damaged file"),
        (_empty_zip, "Received"),
        (_weights, "load_weights"),
        (_text, "another file"),
        (_untrained, "tfmeta train --run"),
        (_newer_run, "from a newer tfmeta"),
        (_newer_model, "from a newer tfmeta"),
        (_damaged_model, "must be a whole SavedModel"),
        (_strange_model, "a folder without tfmeta.json"),
        (_lambda, "safe mode"),
        (_unknown_class, "Unknown"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(make, words, tmp_path, run):
    path = make(tmp_path, run)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        tfmeta.load(path)
    line = str(caught.value)
    assert words in line and "\n" not in line and len(line) < 800, line
    assert "Received" in line


@pytest.mark.slow
def test_importing_tfmeta_is_enough(run):
    program = f"import tfmeta; print(type(tfmeta.load({str(run.learner_file)!r})))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "PrototypicalNetwork" in done.stdout
