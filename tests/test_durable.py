"""Files come whole or not at all."""

import os
from pathlib import Path

import pytest

from tfmeta.durable import check_folder, check_writable, flush, put_in_place


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
