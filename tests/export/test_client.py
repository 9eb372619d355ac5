"""The client of the `export` folder, in a process that has TensorFlow alone."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfmeta
from tfmeta import export
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.encoders import Conv4
from tfmeta.evaluation import Threshold
from tfmeta.learners import PrototypicalNetwork

HERE = Path(__file__).parent
CLIENT = HERE.parent.parent / "export" / "client.py"


@pytest.fixture(scope="module")
def client():
    spec = importlib.util.spec_from_file_location("export_client", CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(Conv4(filters=8, seed=0))


@pytest.fixture(scope="module")
def model(learner, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "glyphs"
    export.save(learner, path, version=9)
    shutil.copytree(path / "9", path / "10")
    return path


def draw(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(path)
    return path


def run_client(*arguments: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, HERE / "without_keras.py", CLIENT, *map(str, arguments)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.mark.slow
def test_embed(model, learner, tmp_path):
    paths = [draw(tmp_path / f"{n}.png", n) for n in range(3)]
    output = tmp_path / "embeddings.npy"
    printed = run_client("embed", model, *paths, "--output", output, "--invert")
    assert "float32 of shape (3, 8)" in printed
    pictures = np.stack([255 - read_picture(p) for p in paths])
    expected = learner.encoder(pictures, training=False)
    np.testing.assert_allclose(np.load(output), expected, rtol=0, atol=1e-5)


def test_classify(model, tmp_path):
    for label, name in enumerate(("alif", "ba", "ta")):
        draw(tmp_path / "support" / name / "one.png", label)
    # Queries that the support holds: distance 0 to their own class.
    queries = [draw(tmp_path / f"{n}.png", n) for n in (2, 0)]
    printed = run_client(
        "classify", model / "10", "--support", tmp_path / "support", *queries
    )
    rows = [line.split("\t") for line in printed.splitlines()]
    assert [row[:2] for row in rows] == [
        [str(queries[0]), "ta"],
        [str(queries[1]), "alif"],
    ]
    assert all(1 / 3 < float(row[2]) <= 1 for row in rows)


@pytest.mark.slow
def test_none_of_these(model, learner, tmp_path):
    for label, name in enumerate(("alif", "ba", "ta")):
        draw(tmp_path / "support" / name / "one.png", label)
    queries = [draw(tmp_path / f"{n}.png", n) for n in (2, 7)]
    answers = ("classify", model, "--support", tmp_path / "support", "--open-set")
    assert "fit one with" in run_client(*answers, *queries, code=1)

    # A picture of the support is at no distance of its class, another is.
    pictures = np.stack([read_picture(path) for path in queries])
    support = np.stack([read_picture(draw(tmp_path / "s.png", n)) for n in range(3)])
    state = learner.adapt(support[None], np.eye(3, dtype="float32")[None])
    best = np.max(learner.predict_query(state, pictures[None])[0], axis=1)
    assert best[0] > best[1]
    thresholds = [
        Threshold("logit", value, 0.9, {}, {"ways": ways, "shots": 1})
        for ways, value in ((9, 1e9), (3, -1e9), (3, float(np.mean(best))))
    ]
    path = tmp_path / "served"
    export.save(learner, path, open_set_thresholds=thresholds)
    lines = run_client("classify", path, *answers[2:], *queries).splitlines()
    assert [line.split("\t")[1] for line in lines] == ["ta", "none of these"]


@pytest.mark.slow
def test_classify_enrolled(client, tmp_path):
    gallery = tfmeta.Gallery.create(
        tmp_path / "gallery",
        PrototypicalNetwork(Conv4(filters=8, seed=0)),
        threshold=Threshold("logit", -1e-3, 0.9, {}, {}),
        invert=True,
    )
    enrolled = {n: draw(tmp_path / f"{n}.png", n) for n in range(3)}
    gallery.enrol({f"class {n}": [path] for n, path in enrolled.items()})
    gallery.export(tmp_path / "model")
    # A query that is enrolled has distance 0 to its own class, and is not rejected.
    paths = [enrolled[2], draw(tmp_path / "new.png", 7), enrolled[0]]
    printed = run_client("classify-enrolled", tmp_path / "model", *paths, "--invert")
    rows = [line.split("\t") for line in printed.splitlines()]
    names = ["class 2", "none of these", "class 0"]
    assert [row[:2] for row in rows] == [
        [str(path), name] for path, name in zip(paths, names, strict=True)
    ]
    answers = gallery.classify(paths)
    for row, expected in zip(rows, answers.probabilities.max(axis=1), strict=True):
        assert float(row[2]) == pytest.approx(expected, abs=1e-3)


def test_only_a_gallery_has_enrolled_classes(client, model):
    loaded = tf.saved_model.load(model / "9")
    with pytest.raises(ValueError, match="`classify_enrolled_encoded`.*with embed, "):
        client.classify_enrolled(loaded, [b""])


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9])
def test_pictures_are_upright_as_those_of_training(client, tmp_path, kind, orientation):
    y, x = np.mgrid[:42, :56]
    path, exif = tmp_path / f"picture.{kind}", Image.Exif()
    exif[0x010F], exif[0x0112] = "maker", orientation
    Image.fromarray((4 * x + y // 2).astype(np.uint8)).save(path, quality=95, exif=exif)
    assert client.orientation(path.read_bytes()) == max(1, orientation % 9)
    found = client.read_picture(path, (28, 28, 1)).astype(int)
    assert np.abs(found - read_picture(path, size=(28, 28))).max() <= 2


def test_orientation_cut_short(client):
    assert client.orientation(b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12") == 1
    assert client.orientation(b"") == 1


def test_newest_version(client, model, tmp_path):
    assert client.newest_version(model) == model / "10"
    assert client.newest_version(model / "9") == model / "9"
    with pytest.raises(FileNotFoundError, match="Received: neither"):
        client.newest_version(tmp_path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_read_as_tfmeta_reads_them(client, tmp_path, mode, channels):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (41, 57, 4), np.uint8)
    picture = Image.fromarray(pixels)
    picture.convert(mode).save(tmp_path / "picture.png")
    for size in ((41, 57), (28, 28), (60, 90)):
        found = client.read_picture(tmp_path / "picture.png", (*size, channels))
        expected = read_picture(tmp_path / "picture.png", size=size, channels=channels)
        assert found.shape == expected.shape and found.dtype == np.uint8
        # Pillow rounds twice, once for each direction.
        assert np.abs(found.astype(int) - expected).max() <= 1
