"""Omniglot as TensorFlow Datasets prepares it."""

import shutil

import numpy as np
import pytest
from local_tfds import prepare_from

from tfmeta.datasets.omniglot.load import load_omniglot
from tfmeta.datasets.omniglot.pictures import open_size, size_path
from tfmeta.datasets.own.tfds_by_name import load_tfds
from tfmeta.datasets.reading.archives import read_archive


@pytest.fixture(scope="module")
def prepare(reference_data, tmp_path_factory):
    """Lets TensorFlow Datasets prepare `omniglot`; returns the data folder."""

    def prepare(take):
        data_dir = tmp_path_factory.mktemp("tfds")
        folders = {}
        for archive in (reference_data / "omniglot").glob("images_*.zip"):
            folders[archive.name] = tmp_path_factory.mktemp("unpacked")
            for name, content in read_archive(archive):
                if take(archive.name, name):
                    path = folders[archive.name] / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            prepare_from(folders, "omniglot", data_dir, patch)
        return data_dir

    return prepare


@pytest.fixture(scope="module")
def thin_dir(prepare):
    """All of the split `small1`, and one drawing of each character of the others."""
    return prepare(lambda archive, name: "small1" in archive or name[-7:] == "_01.png")


@pytest.fixture
def thin_copy(thin_dir, tmp_path):
    """A data folder of its own with nothing else."""
    shutil.copytree(thin_dir / "omniglot", tmp_path / "omniglot")
    return tmp_path


@pytest.mark.exhaustive
def test_what_tfds_has_prepared_is_the_same_bit_for_bit(prepare, omniglot_dir):
    data_dir = prepare(lambda archive, name: True)
    load_omniglot("validation", data_dir=data_dir)
    for size in (28, 105):
        found, expected = (open_size(size, d) for d in (data_dir, omniglot_dir))
        assert found.class_names == expected.class_names
        assert (found.groups, found.description) == (
            expected.groups,
            expected.description,
        )
        np.testing.assert_array_equal(
            np.asarray(found.examples), np.asarray(expected.examples)
        )


def test_prepared_data_that_is_not_whole_is_named(thin_copy):
    with pytest.raises(ValueError, match="must hold 1,623 characters.*of 1 to 1 pict"):
        load_omniglot(data_dir=thin_copy)
    assert not size_path(thin_copy).exists()


def test_damaged_prepared_data_is_named(thin_copy):
    (record,) = (thin_copy / "omniglot").rglob("omniglot-train.tfrecord*")
    content = bytearray(record.read_bytes())
    content[len(content) // 10] ^= 0xFF
    record.write_bytes(content)
    with pytest.raises(ValueError, match="omniglot.3.0.0 must be readable; delete"):
        load_omniglot(data_dir=thin_copy)
    assert not size_path(thin_copy).exists()


def test_drawings_of_tfds_are_those_of_the_package(thin_dir, omniglot_dir):
    ours = load_omniglot("background", data_dir=omniglot_dir, protocol="lake")
    done = []
    table = load_tfds(
        "omniglot",
        split="small1",
        data_dir=thin_dir,
        group="alphabet",
        size=(28, 28),
        channels=1,
        on_progress=lambda *counts: done.append(counts),
    )
    assert done[0] == (1, 2720) and done[-1] == (2720, 2720)
    assert table.num_classes == 136
    assert set(table.groups) <= set(ours.groups) and len(set(table.groups)) == 5
    for class_id in range(0, table.num_classes, 9):
        # `Angelic_0` of TFDS is `Angelic/character01` here; ink is dark there.
        alphabet, index = table.class_names[class_id].rsplit("_", 1)
        name = f"{alphabet}/character{int(index) + 1:02d}"
        assert table.groups[class_id] == alphabet
        a = 255.0 - table.examples_of(class_id)[:, None]
        b = ours.examples_of(ours.class_names.index(name))[None]
        # Ours are inverted before they are resized, which rounds otherwise.
        same = np.abs(a - b).max(axis=(2, 3, 4)) <= 1
        assert same.sum() == 20 and same.any(0).all() and same.any(1).all()
