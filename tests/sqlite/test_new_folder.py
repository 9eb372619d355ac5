"""A new folder is there whole, or not at all."""

import os
import signal
import subprocess
import sys

import pytest

from tfmeta.sqlite.new_folder import new_folder

CODE = """
import sys, time
from pathlib import Path
from tfmeta.sqlite.new_folder import new_folder
with new_folder(Path(sys.argv[1])) as building:
    (building / "learner.keras").write_bytes(b"some")
    print("built", flush=True)
    time.sleep(600)
"""


def killed_while_building(path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "built\n"
    process.stdout.close()
    return process


def test_it_is_there_when_it_is_complete(tmp_path):
    path = tmp_path / "some" / "where" / "cups"
    with new_folder(path) as building:
        (building / "file").write_text("content")
        assert not path.exists()
    assert [p.name for p in path.iterdir()] == ["file"]
    assert [p.name for p in path.parent.iterdir()] == ["cups"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, FileNotFoundError])
def test_nothing_is_left_of_what_failed(tmp_path, error):
    with pytest.raises((error, OSError)), new_folder(tmp_path / "cups") as building:
        (building / "file").write_text("content")
        raise error("no")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path):
    (tmp_path / "cups").mkdir()
    with (
        pytest.raises(FileExistsError, match="that is not there"),
        new_folder(tmp_path / "cups"),
    ):
        pass
    # Also what somebody else puts there meanwhile.
    with (
        pytest.raises(FileExistsError, match="that is not there"),
        new_folder(tmp_path / "mugs") as building,
    ):
        (building / "file").write_text("mine")
        (tmp_path / "mugs").mkdir()
        (tmp_path / "mugs" / "file").write_text("theirs")
    assert (tmp_path / "mugs" / "file").read_text() == "theirs"
    assert sorted(os.listdir(tmp_path)) == ["cups", "mugs"]


def test_a_place_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="could not be written"):  # noqa: SIM117
        with new_folder(tmp_path / "file" / "cups"):
            pass


def test_what_was_killed_is_removed_and_who_still_builds_is_left_alone(tmp_path):
    path = tmp_path / "cups"
    killed, building = killed_while_building(path), killed_while_building(path)
    try:
        assert len(os.listdir(tmp_path)) == 2
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert not path.exists()
        with new_folder(path) as own:
            (own / "file").touch()
        left = [p for p in tmp_path.iterdir() if p != path]
        assert len(left) == 1
        assert (left[0] / "learner.keras").exists()
    finally:
        building.kill()
        building.wait()


def test_hidden_names_of_others_are_left_alone(tmp_path):
    for name in (".cups.tmp", f".cups.{'a' * 31}.tmp", f".mugs.{'a' * 32}.tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / f".cups.{'b' * 32}.tmp").symlink_to(tmp_path / ".cups.tmp")
    (tmp_path / ".cups.tmp" / "file").touch()
    with new_folder(tmp_path / "cups"):
        pass
    assert len(os.listdir(tmp_path)) == 5
    assert (tmp_path / ".cups.tmp" / "file").exists()
