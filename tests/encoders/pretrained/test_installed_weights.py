"""Weights that are converted once, and kept as a file of Keras."""

import keras
import numpy as np
import pytest

from tfmeta.encoders.pretrained.installed_weights import with_cached_weights


def build(units=3):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])


class Conversion:
    """Makes a model of known weights, and counts how often."""

    def __init__(self, source):
        self.source, self.count = source, 0

    def __call__(self):
        self.count += 1
        model = build()
        for weight in model.weights:
            weight.assign(np.full(weight.shape, 7.0))
        return model

    def load(self, make=build):
        return with_cached_weights("small", self.source, make, self)


@pytest.fixture
def conversion(tmp_path, monkeypatch):
    monkeypatch.setenv("TFMETA_DATA_DIR", str(tmp_path / "data"))
    source = tmp_path / "source.pth"
    source.write_bytes(b"weights")
    return Conversion(source)


def cached(tmp_path):
    return sorted((tmp_path / "data" / "encoders").glob("*"))


def test_a_file_is_converted_once_for_its_content(conversion, tmp_path):
    for _ in range(3):
        assert all((w == 7).all() for w in conversion.load().get_weights())
    assert conversion.count == 1 and len(cached(tmp_path)) == 1
    conversion.source.write_bytes(b"others")
    conversion.load()
    assert conversion.count == 2 and len(cached(tmp_path)) == 2


def test_a_damaged_one_is_made_anew(conversion, tmp_path):
    conversion.load()
    (path,) = cached(tmp_path)
    whole = path.read_bytes()
    places = [*range(0, len(whole), max(1, len(whole) // 8)), len(whole) - 1]
    damaged = [b"", whole[:-9]] + [
        whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        for place in places
    ]
    for content in damaged:
        path.write_bytes(content)
        assert all((w == 7).all() for w in conversion.load().get_weights())
    assert conversion.count > 5
    count = conversion.count
    conversion.load()
    assert conversion.count == count and cached(tmp_path) == [path]


def test_one_of_another_form_is_made_anew(conversion, tmp_path):
    conversion.load()
    (path,) = cached(tmp_path)
    build(units=4).save(path)
    assert conversion.load().count_params() == 9
    assert conversion.count == 2


def test_where_nothing_can_be_written_it_is_converted_each_time(
    conversion, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFMETA_DATA_DIR", str(tmp_path / "file"))
    for _ in range(2):
        assert all((w == 7).all() for w in conversion.load().get_weights())
    assert conversion.count == 2
