"""Omniglot in the size of its scans."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import load
from tfmeta.datasets.omniglot.load import load_omniglot
from tfmeta.datasets.omniglot.pictures import open_size, shrink, size_path
from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.storage.examples import lie_in_memory
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split


def test_a_scan_of_the_same_size_stays_as_it_is():
    ink = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (105, 105))
    np.testing.assert_array_equal(shrink(ink, 105), ink)
    assert shrink(ink, 14).shape == (14, 14)


@pytest.mark.parametrize("size", [0, 106, 28.0, "28"])
def test_other_sizes_are_refused(tmp_path, size):
    with pytest.raises(ValueError, match="`size` of omniglot.*1 to 105.*Received"):
        load_omniglot(data_dir=tmp_path, size=size)


def test_the_default_is_28(omniglot_dir):
    assert size_path(omniglot_dir).name == "omniglot_28x28"
    for options in ({}, {"size": None}, {"size": 28}):
        table = load("omniglot", split="test", data_dir=omniglot_dir, **options)
        assert table.example_shape == (28, 28, 1)
        assert lie_in_memory(table.examples)


def test_a_table_of_another_size_is_refused(omniglot_dir, tmp_path):
    shutil.copytree(size_path(omniglot_dir), size_path(tmp_path, 20))
    with pytest.raises(ValueError, match="20x20.*make it again.*28, 28, 1"):
        load_omniglot("test", data_dir=tmp_path, size=20)


def test_size_is_no_option_of_glyphs():
    with pytest.raises(ValueError, match="`size` is no option of data set 'glyphs'"):
        load_split(TrainConfig(size=32), "test")


def test_scans_are_those_of_the_archive(omniglot_dir, reference_data):
    config = TrainConfig(dataset="omniglot", size=105)
    table = load_split(config, "test", omniglot_dir)
    assert table.example_shape == (105, 105, 1)
    assert table.num_classes == 1692
    small = load_omniglot("test", data_dir=omniglot_dir)
    assert table.class_names == small.class_names
    packed = open_size(105, omniglot_dir)
    place = {name: index for index, name in enumerate(packed.class_names)}
    expected = {}
    archive = reference_data / "omniglot" / "images_evaluation.zip"
    for name, content in read_archive(archive):
        character = "/".join(name.split("/")[1:3])
        if place[character] % 50 == 0:
            scan = 255 - np.asarray(Image.open(io.BytesIO(content)).convert("L"))
            expected.setdefault(character, []).append(scan.tobytes())
    assert len(expected) > 10
    for character, scans in expected.items():
        found = packed.examples[20 * place[character] : 20 * place[character] + 20]
        assert sorted(p.tobytes() for p in found) == sorted(scans)
    # A class, its quarter turns, and the same drawings in both sizes.
    upright, turned = table.examples_of(8), table.examples_of(9)
    assert table.class_names[9].endswith("/rot090")
    np.testing.assert_array_equal(turned, np.rot90(upright, axes=(1, 2)))
    for size_105, size_28 in zip(upright, small.examples_of(8), strict=True):
        np.testing.assert_array_equal(shrink(size_105[..., 0]), size_28[..., 0])
