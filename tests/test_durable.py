"""Files come whole or not at all."""

import os

import pytest

from tfmeta.durable import flush, put_in_place


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
