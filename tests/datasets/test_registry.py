from pathlib import Path

import numpy as np
import pytest

import tfmeta.datasets
from tfmeta.datasets.data_dir import resolve_data_dir


def test_glyphs():
    table = tfmeta.datasets.load("glyphs", split="validation", seed=1)
    again = tfmeta.datasets.load("glyphs", split="validation", seed=1)
    other = tfmeta.datasets.load("glyphs", split="validation", seed=2)
    assert table.name.startswith("glyphs")
    np.testing.assert_array_equal(table.examples, again.examples)
    assert not np.array_equal(table.examples, other.examples)


def test_omniglot(omniglot_dir, monkeypatch):
    table = tfmeta.datasets.load("omniglot", split="validation", data_dir=omniglot_dir)
    assert table.num_classes == 688
    monkeypatch.setenv("TFMETA_DATA_DIR", str(omniglot_dir))
    lake = tfmeta.datasets.load(
        "omniglot", split="test", protocol="lake", rotations=True
    )
    assert lake.num_classes == 4 * 659


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "imagenet"}, "`name`.*glyphs.*omniglot.*'imagenet'"),
        ({"name": "glyphs", "split": "val"}, "`split`.*validation.*'val'"),
        ({"name": "glyphs", "protocol": "lake"}, "`protocol`.*`seed`.*'lake'"),
        ({"name": "glyphs", "rotations": True}, "`rotations`.*True"),
        ({"name": "omniglot", "seed": 1}, "`seed`.*`protocol`, `rotations`.*seed=1"),
        ({"name": "omniglot", "split": "val"}, "`split`.*trainval.*'val'"),
        ({"name": "omniglot", "split": "background"}, "`split`.*'background'"),
        ({"name": "omniglot", "protocol": "ravi"}, "`protocol`.*lake.*'ravi'"),
    ],
)
def test_what_is_not_known_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tfmeta.datasets.load(**arguments)


@pytest.mark.parametrize("name", tfmeta.datasets.registry.DATASETS)
def test_loaders_take_a_split_and_say_what_is_missing(name, tmp_path):
    if name == "glyphs":
        assert tfmeta.datasets.load(name, split="test", data_dir=tmp_path).num_classes
        return
    if name == "omniglot":
        pytest.skip("looks for a connection first: test_omniglot.py")
    with pytest.raises(FileNotFoundError, match=f"import {name} --from DIR"):
        tfmeta.datasets.load(name, split="validation", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_data_dir(monkeypatch):
    monkeypatch.setenv("TFMETA_DATA_DIR", "/some/where")
    assert resolve_data_dir() == Path("/some/where")
    assert resolve_data_dir("~/x") == Path.home() / "x"
    monkeypatch.setenv("TFMETA_DATA_DIR", "")
    assert resolve_data_dir() == Path.home() / ".cache" / "tfmeta"
