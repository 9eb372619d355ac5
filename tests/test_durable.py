"""Files come whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from full_disk import files_of_at_most

from tfmeta.durable import (
    check_folder,
    check_room,
    check_writable,
    flush,
    put_in_place,
    writing,
)


def test_the_target_is_replaced_and_the_building_gone(tmp_path):
    target, building = tmp_path / "target", tmp_path / ".building"
    target.write_text("old")
    building.write_text("new")
    put_in_place(building, target)
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["target"]


def test_the_content_is_flushed_before_and_the_name_after(tmp_path, monkeypatch):
    target, building = tmp_path / "target", tmp_path / ".building"
    building.write_text("new")
    seen = []
    fsync = os.fsync

    def watched(descriptor):
        seen.append((os.readlink(f"/proc/self/fd/{descriptor}"), target.exists()))
        fsync(descriptor)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the open files of a process are not to be seen here")
    monkeypatch.setattr(os, "fsync", watched)
    put_in_place(building, target)
    assert seen == [(str(building), False), (str(tmp_path), True)]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "absent")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.weights.h5"
    with writing(target) as building:
        assert building.parent == tmp_path and building.name.endswith(".weights.h5")
        building.write_text("new")
    assert target.read_text() == "new"
    with writing(target):
        pass  # Nothing was to be written.
    with pytest.raises(KeyboardInterrupt), writing(target) as building:
        building.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.weights.h5"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), "the disk is full"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (RuntimeError("Can't\n decrement ids"), "Can't decrement ids"),
        (OSError(), "OSError"),
    ],
)
def test_whatever_goes_wrong_names_the_file(tmp_path, error, reason):
    target = tmp_path / "a.json"
    with pytest.raises(OSError) as raised, writing(target):
        raise error
    assert str(raised.value) == f"{target} could not be written: {reason}"
    assert raised.value.errno == getattr(error, "errno", None)
    target.write_text("old")
    kept = pytest.raises(OSError, match="; what was there before is kept")
    with kept, writing(target):
        raise error
    assert target.read_text() == "old"


def test_room_is_looked_for_before_it_is_needed(tmp_path):
    check_room(tmp_path / "x", 10_000)
    with files_of_at_most(5_000), pytest.raises(OSError):
        check_room(tmp_path / "x", 10_000)
    assert os.listdir(tmp_path) == []


def test_what_can_be_written_is_left_as_it_is(tmp_path):
    old = tmp_path / "old"
    old.write_text("old")
    check_writable(tmp_path / "new", new=True)
    check_writable(old)
    check_folder(tmp_path)
    check_folder(tmp_path / "made" / "inside")
    check_folder(tmp_path / "made", writable=False)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_what_cannot_be_written_is_named_before_the_work(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(FileExistsError, match="file must not exist"):
        check_writable(file, new=True)
    with pytest.raises(IsADirectoryError, match="must be a file"):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        check_writable(tmp_path / "nowhere" / "x")
    for path in (file, file / "inside" / "that"):
        with pytest.raises(NotADirectoryError, match="file must be a folder"):
            check_folder(path, writable=False)
    nowhere = Path("/proc")
    if nowhere.is_dir():
        with pytest.raises(PermissionError, match="/proc/x must be where files can"):
            check_writable(nowhere / "x")
        with pytest.raises(PermissionError, match="/proc/x must be where files can"):
            check_folder(nowhere / "x")
