"""Features are computed once, found by content, and made anew when they must be."""

import gc
import os
import signal
import subprocess
import sys
import time
import weakref

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.features import encoder_digest, example_digests, features_of
from tfmeta.learners import embedding


def make_encoder(units=3, shape=(4, 5, 1), name=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(units, "relu")(x), name=name)
    model.trainable = False
    return model


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (600, 4, 5, 1), np.uint8)


def expected(encoder, pictures):
    kernel, bias = encoder.get_weights()
    means = pictures.astype(np.float64).mean(axis=(1, 2))
    return np.maximum(means @ kernel + bias, 0)


def assert_close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


class Calls(list):
    def __call__(self, done, of_all):
        self.append((done, of_all))


def files_of(folder):
    return sorted(folder.glob("*/*.npy"))


def test_equal_what_the_encoder_gives_and_are_computed_once(pictures, tmp_path):
    encoder, first, second = make_encoder(), Calls(), Calls()
    features = features_of(encoder, pictures, cache_dir=tmp_path, progress=first)
    assert features.dtype == np.float32
    assert_close(features, expected(encoder, pictures))
    again = features_of(encoder, pictures, cache_dir=tmp_path, progress=second)
    np.testing.assert_array_equal(features, again)
    assert first[0] == (0, 600) and first[-1] == (600, 600) and len(first) > 3
    assert second == [(600, 600)]  # Nothing was left to compute.


def test_keep_nothing_without_a_folder(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("TFMETA_DATA_DIR", str(tmp_path))
    features_of(make_encoder(), pictures)
    assert not list(tmp_path.iterdir())


def test_notice_a_changed_picture_and_a_new_one(pictures, tmp_path):
    encoder, calls = make_encoder(), Calls()
    features_of(encoder, pictures, cache_dir=tmp_path)
    changed = np.concatenate([pictures[::-1], pictures[:1] ^ 1])
    changed[7] ^= 255
    features = features_of(encoder, changed, cache_dir=tmp_path, progress=calls)
    assert_close(features, expected(encoder, changed))
    assert calls[0] == (599, 601)


def test_notice_changed_weights_and_another_architecture(pictures, tmp_path):
    encoder = make_encoder()
    digest = encoder_digest(encoder)
    weights = encoder.get_weights()
    weights[0][0, 1] += 1e-3
    encoder.set_weights(weights)
    assert encoder_digest(encoder) != digest
    linear = keras.Sequential([keras.Input((4, 5, 1)), *make_encoder().layers[1:]])
    linear.layers[-1].activation = keras.activations.linear
    assert encoder_digest(linear) != digest
    for one in (make_encoder(), encoder):
        features = features_of(one, pictures, cache_dir=tmp_path)
        assert_close(features, expected(one, pictures))


def test_a_frozen_encoder_is_traced_once_and_not_kept(pictures):
    encoder = make_encoder()
    before = [features_of(encoder, pictures[:n]) for n in (2, 40)]
    (graph,) = embedding._FROZEN[encoder].values()
    assert graph.experimental_get_tracing_count() == 1
    # Its weights are read anew, also by the graph.
    encoder.layers[-1].kernel.assign(2 * encoder.layers[-1].kernel)
    after = features_of(encoder, pictures[:40])
    assert graph.experimental_get_tracing_count() == 1
    assert_close(after, 2 * before[1])
    kept = weakref.ref(encoder)
    del encoder, graph
    gc.collect()
    assert kept() is None


def test_digest_of_an_encoder_outlives_saving_names_and_freezing(tmp_path):
    encoder = make_encoder(name="one")
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    other = make_encoder(name="another")
    other.trainable = True
    assert encoder_digest(encoder) == encoder_digest(loaded) == encoder_digest(other)
    assert encoder_digest(encoder) != encoder_digest(make_encoder(4))


def test_digests_tell_shapes_dtypes_and_kinds_apart(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(4))
    examples = [
        np.zeros((2, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros(4, np.int8),
        np.zeros(1, np.float32),
        "\0\0\0\0",
        tmp_path / "zeros",
    ]
    assert len(np.unique(example_digests(examples), axis=0)) == len(examples)


def test_the_same_twice_is_computed_once(pictures, tmp_path):
    calls = Calls()
    doubled = np.concatenate([pictures[:10], pictures[:10]])
    features = features_of(make_encoder(), doubled, cache_dir=tmp_path, progress=calls)
    np.testing.assert_array_equal(features[:10], features[10:])
    assert calls[0] == (10, 20)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 64
    path.write_bytes(content)


def flip_header(path):
    content = bytearray(path.read_bytes())
    content[3] ^= 255
    path.write_bytes(content)


def ask_for_much(path):
    content = path.read_bytes()
    assert content.count(b"(256,), }            ") == 1
    path.write_bytes(
        content.replace(b"(256,), }            ", b"(9999999999999,), }  ")
    )


DAMAGES = [cut, flip, flip_header, ask_for_much, lambda path: path.write_text("")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_anew(damage, pictures, tmp_path, caplog):
    encoder, calls = make_encoder(), Calls()
    features = features_of(encoder, pictures, cache_dir=tmp_path)
    assert len(files_of(tmp_path)) == 3
    damage(files_of(tmp_path)[1])
    again = features_of(encoder, pictures, cache_dir=tmp_path, progress=calls)
    np.testing.assert_array_equal(features, again)
    assert 0 < calls[0][0] < 600 and "is damaged" in caplog.text
    third = Calls()
    features_of(encoder, pictures, cache_dir=tmp_path, progress=third)
    assert third == [(600, 600)]


def test_what_cannot_be_opened_is_passed_over(pictures, tmp_path, caplog):
    features = features_of(make_encoder(), pictures, cache_dir=tmp_path)
    (files_of(tmp_path)[0].parent / "folder.npy").mkdir()
    calls = Calls()
    again = features_of(make_encoder(), pictures, cache_dir=tmp_path, progress=calls)
    np.testing.assert_array_equal(features, again)
    assert calls == [(600, 600)] and "cannot be read" in caplog.text


def test_encoders_that_read_files_in_other_sizes_are_others(tmp_path):
    """The same weights, behind pooling, and the same file."""
    file = tmp_path / "picture.png"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    Image.fromarray(pixels).save(file)
    for side in (3, 9):
        encoder = make_encoder(shape=(side, side, 3))
        kept = features_of(encoder, [file], cache_dir=tmp_path / "cache")
        np.testing.assert_array_equal(kept, features_of(encoder, [file]))


def test_what_is_not_finite_is_refused_and_not_kept(tmp_path):
    inputs = keras.Input((2,))
    encoder = keras.Model(inputs, keras.layers.Dense(2, "relu")(inputs))
    examples = np.arange(10, dtype=np.float32).reshape(5, 2)
    examples[3, 0] = np.nan
    with pytest.raises(ValueError, match="finite features.*1 of 5.*row 3"):
        features_of(encoder, examples, cache_dir=tmp_path)
    assert not files_of(tmp_path)


def test_files_of_any_size_and_texts(tmp_path):
    encoder = make_encoder(shape=(None, None, 3))
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (h, 6, 3), np.uint8) for h in (4, 9, 4)]
    files = []
    for number, array in enumerate(arrays):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(array).save(files[-1])
    wanted = np.concatenate([expected(encoder, array[None]) for array in arrays])
    for examples in (files, arrays):
        found = features_of(encoder, examples, cache_dir=tmp_path / "cache")
        assert_close(found, wanted)

    inputs = keras.Input((), dtype="string")
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")
    scale = keras.layers.Rescaling(1.0)
    texts = keras.Model(inputs, scale(lookup(inputs[:, None])))
    for examples in (["b", "a"], np.array(["b", "a"], object)):
        found = features_of(texts, examples, cache_dir=tmp_path / "cache")
        np.testing.assert_array_equal(found, [[0, 0, 1], [0, 1, 0]])


def test_encoded_pictures_are_found_by_their_files(pictures, tmp_path):
    contents = []
    for number, picture in enumerate(pictures[:5]):
        Image.fromarray(picture[..., 0]).save(tmp_path / f"{number}.png")
        contents.append((tmp_path / f"{number}.png").read_bytes())
    encoded = EncodedPictures.from_files(contents, (4, 5, 1))
    encoder, calls = make_encoder(), Calls()
    found = features_of(encoder, encoded, cache_dir=tmp_path)
    assert_close(found, expected(encoder, pictures[:5]))
    features_of(encoder, encoded, cache_dir=tmp_path, progress=calls)
    assert calls == [(5, 5)]


def test_large_ones_stay_on_disk(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("tfmeta.features.computing.MEMORY_MAP_FROM", 1000)
    encoder = make_encoder()
    features = features_of(encoder, pictures, cache_dir=tmp_path)
    assert isinstance(features, np.memmap)
    assert_close(features, expected(encoder, pictures))


def test_go_on_where_nothing_can_be_written(pictures, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    features = features_of(make_encoder(), pictures, cache_dir=tmp_path / "file")
    assert_close(features, expected(make_encoder(), pictures))
    assert "cannot be kept" in caplog.text


COMPUTING = """
import sys

import keras
import numpy as np

from tfmeta.features import features_of

pictures = np.random.default_rng(0).integers(0, 256, (20_000, 4, 5, 1), np.uint8)
encoder = keras.saving.load_model(sys.argv[1])


def progress(done, of_all):
    print(done, flush=True)


features_of(encoder, pictures, cache_dir=sys.argv[2], progress=progress)
"""


def _computing(encoder, folder):
    return subprocess.Popen(
        [sys.executable, "-c", COMPUTING, encoder, folder],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_leaves_whole_chunks_and_two_at_once_do_no_harm(tmp_path):
    encoder, folder = tmp_path / "encoder.keras", tmp_path / "features"
    make_encoder().save(encoder)
    with _computing(encoder, folder) as killed:
        for line in killed.stdout:
            if int(line) >= 1000:
                killed.kill()
                break
    assert killed.returncode == -signal.SIGKILL
    kept = len(files_of(folder))
    assert kept >= 3
    both = []
    for _ in range(2):
        both.append(_computing(encoder, folder))
        time.sleep(0.1)
    for process in both:
        process.communicate()
        assert process.returncode == 0
    pictures = np.random.default_rng(0).integers(0, 256, (20_000, 4, 5, 1), np.uint8)
    calls = Calls()
    found = features_of(make_encoder(), pictures, cache_dir=folder, progress=calls)
    assert calls == [(20_000, 20_000)]
    assert_close(found, expected(make_encoder(), pictures))
