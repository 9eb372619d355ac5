import io

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.omniglot.load import (
    LAKE_VALIDATION,
    load_omniglot,
    vinyals_characters,
)
from tfmeta.datasets.omniglot.pack import packed_path, read_packed, shrink
from tfmeta.datasets.reading.archives import read_archive


def antialiased(size, target):
    """Weights of a triangle filter as wide as two target pixels."""
    scale = size / target
    centers = (np.arange(target) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centers[:, None]) / scale
    weights = np.clip(1 - distances, 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def packed(omniglot_dir):
    return read_packed(packed_path(omniglot_dir))


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


def test_shrinking_inverts_and_averages():
    scan = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (105, 105))
    weights = antialiased(105, 28)
    expected = weights @ (255.0 - scan) @ weights.T
    assert np.abs(shrink(scan) - expected).max() <= 1  # two roundings of Pillow


def test_every_picture_is_that_of_the_archive(packed, reference_data):
    place = {name: index for index, name in enumerate(packed.class_names)}
    expected = {}
    for part in ("background", "evaluation"):
        archive = reference_data / "omniglot" / f"images_{part}.zip"
        for name, content in read_archive(archive):
            character = "/".join(name.split("/")[1:3])
            if place[character] % 20 == 0:
                scan = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
                expected.setdefault(character, []).append(shrink(scan).tobytes())
    assert len(expected) == 82
    for character, pictures in expected.items():
        start = 20 * place[character]
        found = packed.examples[start : start + 20]
        assert sorted(p.tobytes() for p in found) == sorted(pictures)


def test_packed_characters_are_those_of_the_archives(packed, sets):
    marked = np.asarray(packed.class_names)
    assert set(marked[packed.background]) == sets["background"]
    assert set(marked[~packed.background]) == sets["evaluation"]


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


def test_tensorflow_datasets_reads_the_same_folder(omniglot_dir):
    import tensorflow_datasets as tfds

    builder = tfds.builder("omniglot", data_dir=omniglot_dir)
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    assert counts == {"train": 19280, "test": 13180, "small1": 2720, "small2": 3120}


@pytest.fixture
def damaged(omniglot_dir, tmp_path):
    """A data folder of its own with a copy of the packed file."""
    path = packed_path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(packed_path(omniglot_dir).read_bytes())
    return path


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_truncated_packed_file_is_refused(damaged, tmp_path, keep):
    damaged.write_bytes(damaged.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"omniglot_28x28.npz.*delete it.*--from DIR"):
        load_omniglot("test", data_dir=tmp_path)


def test_changed_packed_file_is_refused(damaged, tmp_path):
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match="delete it and import again"):
        load_omniglot("test", data_dir=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": np.int64(2)},
        {"examples": np.zeros((32460, 28, 28, 1), np.float32)},
        {"examples": np.zeros((32440, 28, 28, 1), np.uint8)},
        {"class_names": np.array(["a"] * 1623)},
        {"class_names": np.array(["a"] * 1623, object)},
        {"background": np.zeros(1623, bool)},
    ],
)
def test_packed_file_of_other_content_is_refused(packed, tmp_path, change):
    content = {
        "format": np.int64(1),
        "examples": packed.examples,
        "class_names": np.asarray(packed.class_names),
        "background": packed.background,
    }
    path = tmp_path / "packed.npz"
    np.savez(path, **{**content, **change})
    with pytest.raises(ValueError, match="packed.npz.*Received"):
        read_packed(path)
    incomplete = {k: v for k, v in content.items() if k not in change}
    np.savez(path, **incomplete)
    with pytest.raises(ValueError, match="packed.npz.*Received"):
        read_packed(path)


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
