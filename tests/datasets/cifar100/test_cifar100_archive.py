import gzip

import numpy as np
import pytest
from cifar100_archive import FINE, label, members, picture, write_archive

from tfmeta.datasets.cifar100.archive import EACH, OFFICIAL_SHA256, read_cifar_archive

SMALL = {"train": 3, "test": 1}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for part, each in SMALL.items():
        monkeypatch.setitem(EACH, part, each)


@pytest.fixture(scope="module")
def files():
    return members(SMALL)


def test_a_complete_archive_is_accepted(files, tmp_path):
    path = write_archive(tmp_path / "cifar-100-binary.tar.gz", files)
    counts = []
    report, found = read_cifar_archive(path, on_pictures=counts.append)
    assert counts == [300, 100]
    assert not report.official
    (note,) = report.notes
    assert "100 classes, 400 pictures" in note and OFFICIAL_SHA256 in note
    assert found.class_names == tuple(FINE)
    for part, start in (("train", 0), ("test", 300)):
        for index in (0, 77, 99):
            assert found.labels[start + index] == label(part, index)
            np.testing.assert_array_equal(
                found.pictures[start + index], picture(part, index)
            )


def test_the_official_archive_is_the_one_that_tfds_knows(tmp_path):
    import tensorflow_datasets as tfds

    (info,) = tfds.builder("cifar100", data_dir=tmp_path).url_infos.values()
    assert info.checksum == OFFICIAL_SHA256


def test_names_in_another_order_are_followed(files, tmp_path):
    """Labels mean what the archive's own lists say."""
    lists = {name: c for name, c in files.items() if name.endswith(".txt")}
    turned = {
        name: "\n".join(reversed(content.decode().split())).encode()
        for name, content in lists.items()
    }
    with pytest.raises(ValueError, match="each class its superclass"):
        read_cifar_archive(
            write_archive(
                tmp_path / "one.tar.gz",
                {**files, "fine_label_names.txt": turned["fine_label_names.txt"]},
            )
        )
    relabelled = {}
    for part in SMALL:
        content = bytearray(files[f"{part}.bin"])
        content[0::3074] = bytes(19 - c for c in content[0::3074])
        content[1::3074] = bytes(99 - c for c in content[1::3074])
        relabelled[f"{part}.bin"] = bytes(content)
    path = write_archive(tmp_path / "both.tar.gz", {**turned, **relabelled})
    assert read_cifar_archive(path)[0].content == "100 classes, 400 pictures"


def changed(content, position, value):
    content = bytearray(content)
    content[position] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {**f, "train.bin": f["train.bin"][:-1]}, "train.bin.*922,200 bytes"),
        (lambda f: {**f, "test.bin": f["train.bin"]}, "test.bin must have 307,400"),
        (lambda f: {**f, "train.bin": b""}, "train.bin must have.*Received: 0 bytes"),
        (
            lambda f: {**f, "train.bin": changed(f["train.bin"], 1, 100)},
            "each class its superclass",
        ),
        (
            lambda f: {**f, "train.bin": changed(f["train.bin"], 0, 19)},
            "each class its superclass",
        ),
        (
            lambda f: {**f, "train.bin": f["train.bin"][3074:] + f["test.bin"][:3074]},
            "3 pictures of each class",
        ),
        (
            lambda f: {k: v for k, v in f.items() if k != "test.bin"},
            "none of the name test.bin",
        ),
        (
            lambda f: {**f, "fine_label_names.txt": b"apple\n"},
            "fine_label_names.txt must name the 100 classes.*1 names",
        ),
        (
            lambda f: {**f, "coarse_label_names.txt": b"\xff" * 99},
            "coarse_label_names.txt must name the 20 classes",
        ),
    ],
)
def test_what_is_not_complete_is_refused(files, tmp_path, change, message):
    path = write_archive(tmp_path / "bad.tar.gz", change(files))
    with pytest.raises(ValueError, match=message) as caught:
        read_cifar_archive(path)
    assert str(path) in str(caught.value)


def test_what_is_no_such_archive_is_refused(files, tmp_path):
    path = tmp_path / "bad.tar.gz"
    write_archive(path, files)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="bad.tar.gz must be whole"):
        read_cifar_archive(path)
    path.write_bytes(gzip.compress(b"not an archive" * 99))
    with pytest.raises(ValueError, match="bad.tar.gz must be a whole tar archive"):
        read_cifar_archive(path)
