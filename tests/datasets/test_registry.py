from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.fixture
def photos(tmp_path):
    """Ten classes of two pictures each, as folders and as a CSV file."""
    rows = ["path,label"]
    for number in range(10):
        folder = tmp_path / "photos" / f"class{number}"
        folder.mkdir(parents=True)
        for index in range(2):
            file = folder / f"{index}.png"
            Image.fromarray(np.full((4, 4), 10 * number, np.uint8)).save(file)
            rows.append(f"{file},class{number}")
    (tmp_path / "photos.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("as_path", [str, Path])
@pytest.mark.parametrize("name", ["photos", "photos.csv"])
def test_data_of_ones_own_is_loaded_by_its_path(photos, name, as_path):
    path = as_path(photos / name)
    splits = [
        tfmeta.datasets.load(path, split=split)
        for split in ("train", "validation", "test")
    ]
    classes = [set(table.class_names) for table in splits]
    assert sum(map(len, classes)) == len(set.union(*classes)) == 10
    assert splits[0].example_shape == (4, 4, 1)
    larger = tfmeta.datasets.load(path, split="test", size=8, protocol=None)
    assert larger.example_shape == (8, 8, 1)
    assert larger.class_names == splits[2].class_names


def test_a_folder_is_found_by_its_name_too(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert tfmeta.datasets.load("photos").class_names
    assert tfmeta.datasets.load("photos/").class_names


def test_of_ones_own_what_is_wrong_is_said(photos):
    with pytest.raises(ValueError, match="`rotations` is no option.*`size`.*True"):
        tfmeta.datasets.load(photos / "photos", rotations=True)
    with pytest.raises(ValueError, match="`split` must be one of.*'val'"):
        tfmeta.datasets.load(photos / "photos", split="val")
    with pytest.raises(FileNotFoundError, match="must be a folder.*nothing there"):
        tfmeta.datasets.load(photos / "pictures")
    with pytest.raises(ValueError, match="omniglot.*tfds:NAME.*'omniglt'"):
        tfmeta.datasets.load("omniglt")
