import contextlib
import hashlib
import json
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from tfmeta.datasets.tfds_archives import (
    CheckedArchive,
    connection_problem,
    import_folder,
    lay_into_cache,
    prepare,
    sha256_of,
)

URL = "https://example.org/data/some.zip"


def test_checksums(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (2**20 + 7))
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_import_begins_in_an_empty_folder_and_leaves_none(tmp_path):
    left = tmp_path / "new" / "toy.importing" / "left"
    left.mkdir(parents=True)
    with import_folder(tmp_path / "new", "toy") as folder:
        assert folder == left.parent
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("")
    assert not folder.exists()
    with (
        pytest.raises(KeyboardInterrupt),
        import_folder(tmp_path / "new", "toy") as folder,
    ):
        (folder / "file").write_text("")
        raise KeyboardInterrupt
    assert not folder.exists()


HOLD = """
import sys, time
from pathlib import Path
from tfmeta.datasets.tfds_archives import import_folder
with import_folder(Path(sys.argv[1]), "toy") as folder:
    (folder / "mine").write_text("")
    print("in", flush=True)
    sys.stdin.read()
    assert (folder / "mine").exists()
"""


def test_a_second_process_waits(tmp_path):
    def start():
        return subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    with contextlib.ExitStack() as stack:
        first = stack.enter_context(start())
        assert first.stdout.readline() == b"in\n"
        second = stack.enter_context(start())
        time.sleep(0.5)
        assert second.poll() is None
        first.stdin.close()
        assert first.wait() == 0  # the second has not touched its folder
        assert second.stdout.readline() == b"in\n"
        second.kill()
    # A killed one holds nobody up.
    with import_folder(tmp_path, "toy") as folder:
        assert list(folder.iterdir()) == []


def test_the_cache_is_that_of_tfds(tmp_path):
    from tensorflow_datasets.core.download import resource

    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a/b.txt", b"content")
        packed.writestr("a/c/d.txt", b"more")
    archive = CheckedArchive(path, "1 thing", sha256_of(path), URL, "ab" * 32)
    assert "1 thing" in archive.notes[0] and archive.sha256 in archive.notes[0]
    with import_folder(tmp_path / "data", "toy") as folder:
        unpacked = []
        for _ in range(2):  # again, over what is there
            lay_into_cache(
                *("toy", archive, tmp_path / "data", folder),
                on_member=lambda: unpacked.append(1),
            )
        (there,) = (folder / "unpacked").iterdir()
        assert (there / "a/b.txt").read_bytes() == b"content"
        assert (there / "a/c/d.txt").read_bytes() == b"more"
        assert len(unpacked) == 4
    cached = tmp_path / "data/downloads/toy" / resource.get_dl_fname(URL, "ab" * 32)
    assert there.name == f"ZIP.{cached.name}"
    assert cached.read_bytes() == path.read_bytes()
    assert len(list(cached.parent.iterdir())) == 2
    info = json.loads(resource.get_info_path(cached).read_text())
    assert info["urls"] == [URL]
    assert info["url_info"] == {
        "checksum": archive.sha256,
        "filename": "some.zip",
        "size": path.stat().st_size,
    }


def test_what_tfds_raises_becomes_one_error(tmp_path):
    """An archive without what its builder looks for: the attempt leaves nothing."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    builder = tfds.builder("cifar100", data_dir=tmp_path)
    ((url, info),) = builder.url_infos.items()
    path = tmp_path / "cifar-100-binary.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(__file__, "something")
    archive = CheckedArchive(path, "", sha256_of(path), url, info.checksum)
    with (
        pytest.raises(OSError, match="must be able to prepare 'cifar100' in"),
        import_folder(tmp_path, "cifar100") as folder,
    ):
        lay_into_cache("cifar100", archive, tmp_path, folder)
        prepare("cifar100", tmp_path, folder, on_example=lambda: None)
    assert not (tmp_path / "cifar100").exists()
    assert not (tmp_path / "cifar100.importing").exists()
    assert tqdm_utils._active  # its bars are as they were


def test_no_connection_is_told_at_once(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert connection_problem(URL).startswith(f"{URL}: ")
