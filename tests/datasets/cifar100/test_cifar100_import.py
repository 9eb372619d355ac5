import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cifar100_archive import FINE, label, members, picture, write_archive
from local_tfds import prepare_from, take_downloads_from

from tfmeta.datasets import load
from tfmeta.datasets.cifar100.archive import EACH
from tfmeta.datasets.cifar100.cifar_fs import load_cifar_fs
from tfmeta.datasets.cifar100.class_lists import SPLITS, superclasses
from tfmeta.datasets.cifar100.fc100 import load_fc100
from tfmeta.datasets.cifar100.importing import import_cifar_fs, import_fc100
from tfmeta.datasets.reading.archives import read_archive

SMALL = {"train": 5, "test": 2}
LOADERS = {"cifar_fs": load_cifar_fs, "fc100": load_fc100}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for part, each in SMALL.items():
        monkeypatch.setitem(EACH, part, each)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with an archive of 700 made-up pictures."""
    folder = tmp_path_factory.mktemp("source")
    write_archive(folder / "cifar-100-binary.tar.gz", members(SMALL))
    return folder


@pytest.fixture(scope="module")
def imported(source, tmp_path_factory):
    """A data folder, what its import returned, and what it reported."""
    data_dir = tmp_path_factory.mktemp("data")
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        for part, each in SMALL.items():
            patch.setitem(EACH, part, each)
        done = import_cifar_fs(
            source,
            data_dir,
            on_progress=lambda done, of_all: reports.append((done, of_all)),
        )
    return data_dir, done, reports


@pytest.mark.parametrize(
    ("name", "sizes", "groups"),
    [("cifar_fs", (64, 16, 20), (20, 11, 13)), ("fc100", (60, 20, 20), (12, 4, 4))],
)
def test_the_splits(imported, name, sizes, groups):
    data_dir, _, _ = imported
    tables = [load(name, split=s, data_dir=data_dir) for s in list(SPLITS)[:3]]
    assert tuple(t.num_classes for t in tables) == sizes
    assert tuple(len(set(t.groups)) for t in tables) == groups
    names = [n for t in tables for n in t.class_names]
    assert sorted(names) == FINE
    for table in tables:
        assert table.name == name and table.group_level == "superclass"
        assert table.example_shape == (32, 32, 3)
        assert table.examples.dtype == np.uint8
        assert set(table.class_sizes) == {7}
        assert list(table.class_names) == sorted(table.class_names)
        assert table.groups == tuple(superclasses()[n] for n in table.class_names)
    both = LOADERS[name]("trainval", data_dir=data_dir)
    assert set(both.class_names) == {n for t in tables[:2] for n in t.class_names}


def test_splits_of_fc100_share_no_superclass(imported):
    data_dir, _, _ = imported
    groups = [set(load_fc100(s, data_dir=data_dir).groups) for s in list(SPLITS)[:3]]
    assert len(set.union(*groups)) == 20
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


@pytest.mark.parametrize("name", LOADERS)
def test_each_picture_is_in_its_class_and_in_order(imported, name):
    data_dir, _, _ = imported
    of_class = {n: [] for n in FINE}
    for part in ("train", "test"):
        for index in range(100 * SMALL[part]):
            of_class[FINE[label(part, index)]].append(picture(part, index))
    for split in list(SPLITS)[:3]:
        table = LOADERS[name](split, data_dir=data_dir)
        for number, class_name in enumerate(table.class_names):
            np.testing.assert_array_equal(
                table.examples_of(number), np.stack(of_class[class_name])
            )


def test_pieces_are_reported(imported):
    data_dir, done, reports = imported
    counts = [count for count, _ in reports]
    assert counts == sorted(set(counts))
    assert {of_all for _, of_all in reports} == {1400}
    assert counts[-1] == 1400 and len(counts) >= 9
    (note,) = done.notes
    assert "not the authors' file byte for byte" in note
    assert not done.already_there
    assert done.tables == (data_dir / "tables" / "cifar100",)


def test_nothing_temporary_is_left(imported):
    data_dir, _, _ = imported
    assert {p.name for p in data_dir.iterdir()} == {"locks", "tables"}
    assert [p.name for p in (data_dir / "tables").iterdir()] == ["cifar100"]
    assert list(data_dir.rglob("*incomplete*")) == []


def test_the_other_import_finds_it_done(imported, source, hash_tree):
    data_dir, _, _ = imported
    before = hash_tree(data_dir)
    archive = source / "cifar-100-binary.tar.gz"
    reports = []
    done = import_fc100(archive, data_dir, on_progress=lambda *r: reports.append(r))
    assert done.already_there
    assert "which CIFAR-FS and FC100 share" in done.notes[-1]
    assert hash_tree(data_dir) == before
    assert reports[-1] == (1400, 1400)


@pytest.fixture(scope="module")
def unpacked(source, tmp_path_factory):
    """What TensorFlow Datasets would download, by the last part of its address."""
    folder = tmp_path_factory.mktemp("unpacked")
    archive = source / "cifar-100-binary.tar.gz"
    for name, content in read_archive(archive):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return {archive.name: folder}


@pytest.fixture(scope="module")
def tfds_dir(unpacked, tmp_path_factory):
    """A data folder in which TensorFlow Datasets has prepared `cifar100`."""
    data_dir = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        prepare_from(unpacked, "cifar100", data_dir, patch)
    return data_dir


def assert_same_tables(one, other):
    for split in SPLITS:
        found, expected = (load_fc100(split, data_dir=d) for d in (one, other))
        assert found.class_names == expected.class_names
        assert (found.groups, found.description) == (
            expected.groups,
            expected.description,
        )
        np.testing.assert_array_equal(found.examples, expected.examples)


def test_what_tfds_has_prepared_is_taken(imported, tfds_dir, tmp_path):
    (tmp_path / "cifar100").symlink_to(tfds_dir / "cifar100")
    assert_same_tables(tmp_path, imported[0])


def test_what_tfds_can_download_is_taken(imported, unpacked, tmp_path, monkeypatch):
    take_downloads_from(unpacked, monkeypatch)
    monkeypatch.setattr(
        "tfmeta.datasets.tfds_builders.connection_problem", lambda url: None
    )
    assert_same_tables(tmp_path, imported[0])
    assert (tmp_path / "cifar100").is_dir()


def test_what_tfds_cannot_prepare_is_named(unpacked, tmp_path, monkeypatch):
    empty = {name: tmp_path for name in unpacked}
    take_downloads_from(empty, monkeypatch)
    monkeypatch.setattr(
        "tfmeta.datasets.tfds_builders.connection_problem", lambda url: None
    )
    with pytest.raises(OSError, match="must be able to prepare 'cifar100' in"):
        load_cifar_fs(data_dir=tmp_path / "data")
    assert not (tmp_path / "data" / "tables").exists()


def test_prepared_data_that_is_not_whole_is_named(tfds_dir, tmp_path, monkeypatch):
    (tmp_path / "cifar100").symlink_to(tfds_dir / "cifar100")
    monkeypatch.setitem(EACH, "train", 500)
    with pytest.raises(ValueError, match="must hold the 100 classes.*with 7 to 7"):
        load_cifar_fs("test", data_dir=tmp_path)
    assert not (tmp_path / "tables" / "cifar100").exists()


def test_a_damaged_archive_reaches_no_cache(source, tmp_path):
    archive = tmp_path / "cifar-100-binary.tar.gz"
    content = (source / archive.name).read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="must be whole"):
        import_cifar_fs(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_missing_archive_is_named(tmp_path):
    for import_it in (import_cifar_fs, import_fc100):
        with pytest.raises(FileNotFoundError, match="cifar-100-binary.tar.gz.*without"):
            import_it(tmp_path, tmp_path / "data")
        with pytest.raises(FileNotFoundError, match="nowhere, where nothing is"):
            import_it(tmp_path / "nowhere", tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", LOADERS)
def test_without_data_and_without_connection(name, tmp_path, monkeypatch):
    # A proxy that nobody answers at: no machine gets through.
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        LOADERS[name](data_dir=tmp_path / "new")
    assert f"tfmeta datasets import {name} --from DIR" in str(caught.value)
    assert "cifar-100-binary.tar.gz" in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", LOADERS)
def test_unknown_splits_are_named(name, tmp_path):
    with pytest.raises(ValueError, match=f"`split` of {name} must be one of.*'dev'"):
        LOADERS[name]("dev", data_dir=tmp_path)


KILLED = """
import sys
from tfmeta.datasets.cifar100.archive import EACH
from tfmeta.datasets.cifar100.importing import import_cifar_fs
EACH.update(train=5, test=2)
def report(done, of_all):
    print(done, flush=True)
    if done >= int(sys.argv[3]):
        sys.stdin.read()  # until it is killed
import_cifar_fs(sys.argv[1], sys.argv[2], on_progress=report)
"""


@pytest.mark.slow
def test_a_killed_import_is_run_again(imported, source, tmp_path):
    data_dir, _, _ = imported
    # While it is checked, and while it is written, early and late.
    for pieces in (500, 800, 1300):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, source, tmp_path, str(pieces)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            while int(process.stdout.readline()) < pieces:
                pass
            time.sleep(0.2)
            os.kill(process.pid, signal.SIGKILL)
        assert not (tmp_path / "tables" / "cifar100").exists()
    import_cifar_fs(source, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"locks", "tables"}
    assert_same_tables(tmp_path, data_dir)


@pytest.mark.slow
def test_all_sixty_thousand(tmp_path, monkeypatch):
    full = {"train": 500, "test": 100}
    for part, each in full.items():
        monkeypatch.setitem(EACH, part, each)
    write_archive(tmp_path / "cifar-100-binary.tar.gz", members(full))
    import_fc100(tmp_path, tmp_path / "data")
    sizes = []
    for split in list(SPLITS)[:3]:
        table = load_fc100(split, data_dir=tmp_path / "data")
        assert set(table.class_sizes) == {600}
        sizes.append(table.num_examples)
    assert sizes == [36_000, 12_000, 12_000]
    # The last picture of the last class, wherever it was.
    last = table.class_names[-1]
    index = max(i for i in range(10_000) if FINE[label("test", i)] == last)
    np.testing.assert_array_equal(table.examples[-1], picture("test", index))
