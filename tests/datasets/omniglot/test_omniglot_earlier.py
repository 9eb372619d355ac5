"""Files that earlier versions packed."""

import numpy as np
import pytest

from tfmeta.datasets.omniglot.earlier import (
    packed_path,
    packed_runs_path,
    read_packed,
)
from tfmeta.datasets.omniglot.importing import import_omniglot
from tfmeta.datasets.omniglot.lake_runs import load_lake_runs, runs_path
from tfmeta.datasets.omniglot.load import load_omniglot
from tfmeta.datasets.omniglot.pictures import open_size, size_path
from tfmeta.datasets.omniglot.runs_archive import RUNS_ARCHIVE, read_runs_archive


@pytest.fixture(scope="module")
def content(omniglot_dir):
    """What such a version packed, of 28x28 pictures."""
    table = open_size(28, omniglot_dir)
    background = load_omniglot(
        "background", protocol="lake", data_dir=omniglot_dir
    ).class_names
    return {
        "format": np.int64(1),
        "examples": table.examples,
        "class_names": np.asarray(table.class_names),
        "background": np.isin(table.class_names, background),
    }


@pytest.fixture
def packed(content, tmp_path):
    path = packed_path(tmp_path, 28)
    path.parent.mkdir()
    np.savez_compressed(path, **content)
    return path


def same_tables(one, other):
    np.testing.assert_array_equal(one.examples, other.examples)
    for field in ("class_names", "groups", "group_level", "origins", "description"):
        assert getattr(one, field) == getattr(other, field)


@pytest.mark.parametrize(
    ("protocol", "split"), [("vinyals", "test"), ("lake", "train")]
)
def test_packed_pictures_are_loaded(packed, omniglot_dir, tmp_path, protocol, split):
    found, expected = (
        load_omniglot(split, protocol=protocol, data_dir=folder)
        for folder in (tmp_path, omniglot_dir)
    )
    same_tables(found, expected)
    assert [p.name for p in tmp_path.iterdir()] == ["packed"]


def test_packed_runs_are_loaded(reference_data, lake_dir, tmp_path):
    path = packed_runs_path(tmp_path)
    path.parent.mkdir()
    scans, labels = read_runs_archive(reference_data / "omniglot" / RUNS_ARCHIVE)
    np.savez_compressed(path, format=np.int64(1), scans=scans, labels=labels)
    found, expected = (load_lake_runs(data_dir=d) for d in (tmp_path, lake_dir))
    for part in ("support", "query", "labels"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="delete it and import again") as caught:
        load_lake_runs(data_dir=tmp_path)
    assert str(path) in str(caught.value)
    np.savez(path, format=np.int64(1), scans=scans, labels=labels[:, ::-1])
    with pytest.raises(ValueError, match="of other content"):
        load_lake_runs(data_dir=tmp_path)


def test_the_runs_can_be_added_to_packed_pictures(packed, reference_data, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / RUNS_ARCHIVE).symlink_to(reference_data / "omniglot" / RUNS_ARCHIVE)
    import_omniglot(source, tmp_path)
    assert runs_path(tmp_path).is_dir() and not size_path(tmp_path).exists()


@pytest.mark.parametrize("keep", [0, 1, 1000, -1])
def test_a_truncated_file_is_refused(packed, tmp_path, keep):
    packed.write_bytes(packed.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"omniglot_28x28.npz.*delete it.*--from DIR"):
        load_omniglot("test", data_dir=tmp_path)


def test_a_changed_file_is_refused(packed, tmp_path):
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(content)
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
    ],
)
def test_a_file_of_other_content_is_refused(content, tmp_path, change):
    path = tmp_path / "packed.npz"
    np.savez(path, **{**content, **change})
    with pytest.raises(ValueError, match="packed.npz.*Received"):
        read_packed(path, 28)
    incomplete = {k: v for k, v in content.items() if k not in change}
    np.savez(path, **incomplete)
    with pytest.raises(ValueError, match="packed.npz.*Received"):
        read_packed(path, 28)
