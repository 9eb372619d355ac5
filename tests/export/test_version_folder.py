"""Versions appear whole, in order, and are never touched again."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tfmeta import locks
from tfmeta.export import version_folder
from tfmeta.export.version_folder import list_versions, write_version


def write(folder):
    (folder / "variables").mkdir()
    (folder / "variables" / "data").write_text("data")
    (folder / "saved_model.pb").write_text("graph")


def test_numbers_and_folders_that_are_no_versions(tmp_path):
    models = tmp_path / "models" / "glyphs"
    assert list_versions(models) == []
    assert write_version(models, None, write) == models / "1"
    assert write_version(models, 7, write) == models / "7"
    for name in ("notes", "12-old", "v9", "٣"):
        (models / name).mkdir()
    assert write_version(models, None, write) == models / "8"
    assert write_version(models, 2, write) == models / "2"
    assert list_versions(models) == [1, 2, 7, 8]
    assert (models / "8" / "variables" / "data").read_text() == "data"


@pytest.mark.parametrize("existing", ["5", "005"])
def test_an_existing_version_stays(tmp_path, existing):
    (tmp_path / existing).mkdir()
    with pytest.raises(FileExistsError, match="Received: version=5"):
        write_version(tmp_path, 5, write)
    assert list((tmp_path / existing).iterdir()) == []
    assert write_version(tmp_path, None, write).name == "6"


@pytest.mark.parametrize(
    ("version", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError)]
)
def test_wrong_numbers(tmp_path, version, error):
    with pytest.raises(error, match="Received: version="):
        write_version(tmp_path / "m", version, write)
    with pytest.raises(TypeError):
        write_version(tmp_path / "m", True, write)
    assert not (tmp_path / "m").exists()


def test_nothing_is_seen_before_it_is_whole(tmp_path):
    def look_while_writing(folder):
        write(folder)
        assert folder.parent == tmp_path and not folder.name.isdecimal()
        assert list_versions(tmp_path) == []

    write_version(tmp_path, None, look_while_writing)
    assert list_versions(tmp_path) == [1]


def test_a_failing_writer_leaves_nothing(tmp_path):
    def fail(folder):
        write(folder)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_version(tmp_path, None, fail)
    assert [p.name for p in tmp_path.iterdir() if p.name != ".lock"] == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_what_a_killed_writer_leaves_is_removed(tmp_path):
    script = (
        "import importlib.util, os, pathlib, signal, sys\n"
        "spec = importlib.util.spec_from_file_location('m', sys.argv[1])\n"
        "m = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(m)\n"
        "def write(folder):\n"
        "    (folder / 'saved_model.pb').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "m.write_version(pathlib.Path(sys.argv[2]), 4, write)\n"
    )
    (tmp_path / ".tmp-notes").mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", script, version_folder.__file__, tmp_path]
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / ".tmp-4" / "saved_model.pb").read_text() == "half"
    assert list_versions(tmp_path) == []
    assert write_version(tmp_path, None, write) == tmp_path / "1"
    assert {p.name for p in tmp_path.iterdir()} == {"1", ".lock", ".tmp-notes"}


@pytest.mark.skipif(locks.fcntl is None, reason="needs file locks")
def test_writers_at_the_same_time_wait_for_each_other(tmp_path):
    busy = threading.Lock()

    def write_alone(folder):
        assert busy.acquire(blocking=False)
        write(folder)
        busy.release()

    with ThreadPoolExecutor(4) as pool:
        written = pool.map(
            lambda _: write_version(tmp_path, None, write_alone), range(8)
        )
    assert sorted(int(p.name) for p in written) == list(range(1, 9))
    for number in range(1, 9):
        assert (tmp_path / str(number) / "variables" / "data").read_text() == "data"
