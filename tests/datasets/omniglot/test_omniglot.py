import dataclasses
import hashlib
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.omniglot.characters import (
    LAKE_TEST,
    LAKE_VALIDATION,
    all_characters,
    vinyals_characters,
)
from tfmeta.datasets.omniglot.load import load_omniglot
from tfmeta.datasets.omniglot.pictures import open_size, shrink, size_path
from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.storage.table_folder import save_table


def antialiased(size, target):
    """Weights of a triangle filter as wide as two target pixels."""
    scale = size / target
    centers = (np.arange(target) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centers[:, None]) / scale
    weights = np.clip(1 - distances, 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def small(omniglot_dir):
    return open_size(28, omniglot_dir)


@pytest.fixture(scope="module")
def sets(reference_data):
    """The characters of the background and the evaluation archive."""
    found = {}
    for part in ("background", "evaluation"):
        archive = reference_data / "omniglot" / f"images_{part}.zip"
        found[part] = {
            "/".join(name.split("/")[1:3]) for name, _ in read_archive(archive)
        }
    return found


def test_shrinking_averages():
    ink = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (105, 105))
    weights = antialiased(105, 28)
    expected = weights @ ink.astype(float) @ weights.T
    assert np.abs(shrink(ink) - expected).max() <= 1  # two roundings of Pillow


def test_every_picture_is_that_of_the_archive(small, reference_data):
    place = {name: index for index, name in enumerate(small.class_names)}
    expected = {}
    for part in ("background", "evaluation"):
        archive = reference_data / "omniglot" / f"images_{part}.zip"
        for name, content in read_archive(archive):
            character = "/".join(name.split("/")[1:3])
            if place[character] % 20 == 0:
                ink = 255 - np.asarray(Image.open(io.BytesIO(content)).convert("L"))
                expected.setdefault(character, []).append(shrink(ink).tobytes())
    assert len(expected) == 82
    for character, pictures in expected.items():
        start = 20 * place[character]
        found = small.examples[start : start + 20]
        assert sorted(p.tobytes() for p in found) == sorted(pictures)


def test_characters_are_those_of_the_archives(small, sets):
    assert small.class_names == all_characters()
    assert len(all_characters()) == 1623
    evaluation = {n for n in all_characters() if n.split("/")[0] in LAKE_TEST}
    assert evaluation == sets["evaluation"]
    assert {*all_characters()} - evaluation == sets["background"]


@pytest.mark.parametrize(
    ("split", "file"), [("train", "train"), ("validation", "val"), ("test", "test")]
)
def test_vinyals_lists_are_the_published_ones(reference_data, split, file):
    lists = reference_data / "omniglot" / "splits"
    lines = (lists / f"vinyals_{file}.txt").read_text().split()
    turned = {
        f"{name}/rot{turn:03d}"
        for name in vinyals_characters()[split]
        for turn in (0, 90, 180, 270)
    }
    assert turned == set(lines)
    assert len(turned) == len(lines)


@pytest.mark.parametrize(
    ("split", "classes"),
    [("train", 4112), ("validation", 688), ("test", 1692), ("trainval", 4800)],
)
def test_vinyals_splits(omniglot_dir, split, classes):
    table = load_omniglot(split, data_dir=omniglot_dir)
    assert table.name == "omniglot"
    assert table.num_classes == classes
    assert table.examples.dtype == np.uint8
    assert table.example_shape == (28, 28, 1)
    assert set(table.class_sizes) == {20}
    assert table.group_level == "alphabet"
    assert all(
        name.startswith(f"{group}/character")
        for name, group in zip(table.class_names, table.groups, strict=True)
    )


def test_vinyals_without_rotations(omniglot_dir):
    upright = load_omniglot("test", data_dir=omniglot_dir, rotations=False)
    turned = load_omniglot("test", data_dir=omniglot_dir)
    assert upright.class_names == vinyals_characters()["test"]
    assert upright.origins == turned.origins[::4]
    np.testing.assert_array_equal(upright.examples_of(7), turned.examples_of(28))


def test_splits_share_no_character(omniglot_dir):
    for protocol in ("vinyals", "lake"):
        origins = [
            set(load_omniglot(split, data_dir=omniglot_dir, protocol=protocol).origins)
            for split in ("train", "validation", "test")
        ]
        assert sum(map(len, origins)) == len(set.union(*origins)) == 1623


def test_lake_splits_share_no_alphabet(omniglot_dir, sets):
    tables = {
        split: load_omniglot(split, data_dir=omniglot_dir, protocol="lake")
        for split in ("train", "validation", "test", "background")
    }
    groups = {split: set(table.groups) for split, table in tables.items()}
    assert {split: len(g) for split, g in groups.items()} == {
        "train": 25,
        "validation": 5,
        "test": 20,
        "background": 30,
    }
    assert groups["validation"] == set(LAKE_VALIDATION)
    assert groups["train"] | groups["validation"] == groups["background"]
    assert groups["background"].isdisjoint(groups["test"])
    assert set(tables["background"].class_names) == sets["background"]
    assert set(tables["test"].class_names) == sets["evaluation"]


def test_ink_is_bright(omniglot_dir):
    examples = load_omniglot(
        "background", data_dir=omniglot_dir, protocol="lake"
    ).examples
    assert examples.mean() < 64
    assert examples.max() == 255
    assert np.median(examples[:, 0, 0]) == 0


DIGESTS = {
    ("vinyals", "train"): "16d04ce89c15e9d0",
    ("vinyals", "validation"): "d73c8c6e7d328432",
    ("vinyals", "test"): "a2a960b4643ef8a4",
    ("vinyals", "trainval"): "1257c027af31aa67",
    ("lake", "train"): "4bf4c0628d879361",
    ("lake", "validation"): "64ee68133f0b26f2",
    ("lake", "test"): "05a9efd327258666",
    ("lake", "background"): "9faa5e9d0355d798",
}


@pytest.mark.parametrize(("protocol", "split"), DIGESTS)
def test_pictures_and_their_order_never_change(omniglot_dir, protocol, split):
    """Episodes draw by place: figures that were measured depend on the order."""
    table = load_omniglot(split, protocol=protocol, data_dir=omniglot_dir)
    digest = hashlib.sha256(table.examples.tobytes()).hexdigest()
    assert digest.startswith(DIGESTS[protocol, split])


@pytest.fixture
def copied(omniglot_dir, tmp_path):
    """A data folder of its own with a copy of the table."""
    return shutil.copytree(size_path(omniglot_dir), size_path(tmp_path))


@pytest.mark.parametrize("file", ["table.json", "examples.npy"])
@pytest.mark.parametrize("keep", [0, 1, 1000, -2])
def test_a_truncated_table_is_refused(copied, tmp_path, file, keep):
    path = copied / file
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"omniglot_28x28 .*damaged: remove the fold"):
        load_omniglot("test", data_dir=tmp_path)


def test_a_changed_table_is_refused(copied, tmp_path):
    content = bytearray((copied / "examples.npy").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (copied / "examples.npy").write_bytes(content)
    with pytest.raises(ValueError, match="examples.npy with checksum"):
        load_omniglot("test", data_dir=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: dataclasses.replace(t, examples=t.examples.astype(np.float32)),
        lambda t: t.take_classes(range(1622)),
        lambda t: t.take_classes([1, 0, *range(2, 1623)]),
    ],
)
def test_a_table_of_other_content_is_refused(small, tmp_path, change):
    save_table(change(small), size_path(tmp_path))
    with pytest.raises(ValueError, match="must be Omniglot in pictures of 28x28.*Rec"):
        load_omniglot("test", data_dir=tmp_path)


def test_without_data_and_without_connection(tmp_path, monkeypatch):
    # A proxy that nobody answers at: no machine gets through.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        load_omniglot(data_dir=tmp_path / "new")
    message = str(caught.value)
    assert "tfmeta datasets import omniglot --from DIR" in message
    assert str(tmp_path / "new") in message
    assert not (tmp_path / "new").exists()
