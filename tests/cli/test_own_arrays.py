"""Arrays and texts of one's own from the command line, from end to end."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets.own import load_npz

SHORT = (
    *("--epochs", "1", "--steps-per-epoch", "12", "--filters", "8"),
    *("--validation-episodes", "8", "--test-episodes", "600"),
)
# Units of very different sizes, a channel that float32 would round away, and one that
# says nothing.
UNITS, START = np.array([1e-6, 1.0, 1e5, 0.0]), np.array([0, 1e8, -5e5, 7])


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Twelve classes of eight vectors, three classes a group, far from each other."""
    path = tmp_path_factory.mktemp("own") / "vectors.npz"
    rng = np.random.default_rng(0)
    means = rng.normal(0, 2, (12, 1, 4))
    examples = (means + rng.normal(0, 0.2, (12, 8, 4))) * UNITS + START
    numbers = np.arange(12).repeat(8)
    np.savez(path, X=examples.reshape(-1, 4), y=numbers, groups=numbers // 3)
    return path


@pytest.fixture(scope="module")
def run(vectors):
    return vectors.parent / "run"


def test_a_run_of_vectors(call, vectors, run):
    done = call("train", "--dataset", vectors, "--run", run, "--ways", 2, *SHORT)
    assert (done.code, done.err) == (0, "")
    assert f"classify {run} --support LABELLED.npz --query NEW.npy" in done.out
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["dataset"] == str(vectors)
    assert sum(map(len, config["splits"].values())) == 12
    card = (run / "saved_model" / "1" / "MODEL_CARD.md").read_text()
    assert "classes of arrays" in card
    # The units of the training classes are in the model.
    table = load_npz(vectors)
    train = [c for c, o in enumerate(table.origins) if o in config["splits"]["train"]]
    rows = table.take_classes(train).examples[:]
    learner_file = run / "learner.keras"
    encoder = keras.saving.load_model(learner_file).encoder
    layer = encoder.layers[0]
    assert layer.needs_float64 and encoder.inputs[0].dtype == "float64"
    np.testing.assert_allclose(layer.mean, rows.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(layer.deviation[:3], rows.std(axis=0)[:3], rtol=1e-6)
    assert layer.deviation[3] == 1

    again = call("evaluate", run, "--episodes", 600)
    assert again.code == 0 and "2-way 1-shot on vectors" in again.out
    figures = [
        line.split(": ")[1]
        for line in (done.out + again.out).splitlines()
        if "inductive: " in line
    ]
    assert figures[0].split()[0] == figures[1].split()[0]
    assert float(figures[0].split()[0]) > 75


def test_the_run_classifies_arrays(call, vectors, run):
    done = call("classify", run, "--support", vectors, "--query", vectors)
    assert (done.code, done.err) == (0, "")
    assert "of 96 arrays)" in done.out
    accuracy = float(done.out.split("accuracy ")[1].split()[0])
    assert accuracy > 60
    examples = np.load(vectors)["X"]
    # Any shape that holds the same: one example, several, a folder.
    new = vectors.parent / "new"
    new.mkdir()
    np.save(new / "1.npy", examples[5])
    np.savez(new / "2.npz", examples[9])
    one = call("classify", run, "--support", vectors, "--query", new / "1.npy")
    name, answer, probability = one.out.rstrip("\n").split("\t")
    assert name == "1.npy" and answer in map(str, range(12))
    folder = call(
        *("classify", run, "--support", vectors, "--query", new, "--format", "csv")
    )
    header, first, second = folder.out.splitlines()
    assert header == "file,class,probability"
    assert first.split(",")[:2] == ["1.npy", answer]
    assert second.startswith("2.npz,")
    # The SavedModel gives the same.
    signature = tf.saved_model.load(str(run / "saved_model" / "1")).signatures
    table = load_npz(vectors)
    labels = np.arange(12).repeat(8)
    found = signature["classify"](
        support=tf.constant(table.examples[:]),
        support_labels=tf.constant(labels, tf.int32),
        query=tf.constant(examples[5:6]),
    )
    best = found["probabilities"].numpy()[0]
    assert table.class_names[best.argmax()] == answer
    assert float(probability) == pytest.approx(best.max(), abs=2e-3)


def test_other_arrays_than_the_runs(call, vectors, run, tmp_path):
    path = tmp_path / "other.npz"

    def error(support, query, *options):
        return call(
            "classify", run, "--support", support, "--query", query, *options
        ).err.splitlines()[-1]

    np.savez(path, X=np.zeros((4, 3)), y=[0, 0, 1, 1])
    assert "must take float64 arrays of shape (3,), as --support" in error(path, path)
    np.savez(path, X=np.zeros((4, 4), np.complex64), y=[0, 0, 1, 1])
    assert "must take complex64 arrays" in error(path, path)
    assert "must take complex128 arrays" in error(vectors, path)
    np.savez(path, X=np.zeros((4, 4)), y=[0, 0, 99, 1])
    assert "must be among the support's" in error(vectors, path)
    assert "Received: the arrays of" in error(
        vectors, vectors, "--picture", tmp_path / "a.png"
    )
    assert "--open-set and --classes take pictures" in error(
        vectors, vectors, "--open-set"
    )
    (tmp_path / "texts.csv").write_text("text,label\na,x\nb,y\n")
    texts = tmp_path / "texts.csv"
    assert "must take texts, as --support holds them" in error(texts, texts)
    np.savez(path, X=np.zeros((4, 4)), y=[0, 0, 0, 0])
    assert "must hold at least 2 classes" in error(path, path)


def test_vectors_without_a_run(call, tmp_path):
    path = tmp_path / "labelled.npz"
    np.savez(path, X=[[0, 9], [0, 8], [7, 0], [8, 1]], y=["up", "up", "side", "side"])
    np.save(tmp_path / "new.npy", np.array([[1, 7], [9, 1]]))
    for learner in ("simple_shot", "logistic_regression"):
        done = call(
            *("classify", "--support", path, "--query", tmp_path / "new.npy"),
            *("--learner", learner, "--format", "csv"),
        )
        lines = done.out.splitlines()
        assert lines[0] == "example,class,probability", done.err
        assert [line.split(",")[:2] for line in lines[1:]] == [
            ["new.npy[0]", "up"],
            ["new.npy[1]", "side"],
        ]
    done = call("classify", "--support", path, "--query", path, "--encoder", "x")
    assert "--encoder is for pictures and texts" in done.usage_error
    done = call("classify", "--support", path, "--query", path, "--prior-shots", 2)
    assert "--prior-shots is for texts. Received: the arrays" in done.usage_error
    np.savez(path, X=np.zeros((4, 5, 2)), y=["up", "up", "side", "side"])
    done = call("classify", "--support", path, "--query", path)
    assert "must be vectors of real" in done.error and "(5, 2)" in done.error
    np.savez(path, X=np.full((4, 2), 1e300), y=["up", "up", "side", "side"])
    done = call("classify", "--support", path, "--query", path)
    assert "vectors in float32 must hold finite numbers" in done.error
    done = call("gallery", "enrol", tmp_path / "gallery", "--support", path)
    assert "must be of pictures or texts" in done.error
    assert not (tmp_path / "gallery").exists()


def test_what_cannot_train(call, tmp_path):
    path, run = tmp_path / "data.npz", tmp_path / "run"
    examples, labels = np.ones((40, 3)), np.arange(20).repeat(2)

    def error(*options, **arrays):
        np.savez(path, **arrays)
        found = call("train", "--dataset", path, "--run", run, *options).error
        assert not run.exists() and not re.findall("`[a-z_]+`", found)
        return found

    bad = np.where(np.arange(3) == 1, np.nan, examples)
    assert "in 40 of 40 examples" in error(X=bad, y=labels)
    assert "Received: X" in error(X=examples)
    assert "dtype object" in error(X=examples.astype(object), y=labels)
    assert "`--size` must be left out for a .npz" in error(
        "--size", 8, X=examples, y=labels
    )
    assert "`--text-column` must be left out for" in error(
        "--text-column", "a", X=examples, y=labels
    )
    assert "`--encoder` must take" in error("--encoder", "conv4", X=examples, y=labels)
    assert "variance are finite" in error(
        X=examples * 1e300 * labels[:, None], y=labels
    )
    assert "arrays of real numbers of 1 to 3 axes" in error(
        X=np.ones((40, 1, 1, 1, 1)), y=labels
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(12, 2), (16, 16, 5)])
def test_series_and_arrays_of_many_channels(call, tmp_path, shape):
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(20, 1, *shape))
    examples = (kinds + rng.normal(0, 0.5, (20, 8, *shape))) * 1e4 + 3e5
    path, run = tmp_path / "data.npz", tmp_path / "run"
    names = [f"kind {number}" for number in range(20)]
    np.savez(path, examples=examples.reshape(-1, *shape), labels=np.repeat(names, 8))
    done = call("train", "--dataset", path, "--run", run, *SHORT)
    assert (done.code, done.err) == (0, "")
    done = call("classify", run, "--support", path, "--query", path)
    assert float(done.out.split("accuracy ")[1].split()[0]) > 30
