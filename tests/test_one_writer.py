"""One process writes a folder, whatever happens to it, and to the folder."""

import json
import os
import shutil
import signal
import socket

import pytest
from writing_folder import Writer, writer_of

from tfmeta import locks
from tfmeta.durable import writing
from tfmeta.json_files import read_json, write_json
from tfmeta.one_writer import LOCK_FILE, FolderInUseError, check_owned, only_writer

needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="needs file locks")


@needs_locks
def test_another_process_is_refused_by_name_until_the_first_has_ended(tmp_path):
    with writer_of(tmp_path / "run") as first:
        assert first.heard() == "owns"
        with writer_of(tmp_path / "run") as second:
            said = second.heard()
        assert said.startswith(f"FolderInUseError: {tmp_path / 'run'} must be written")
        assert f"process {first.process.pid} on {socket.gethostname()}, since" in said
        with pytest.raises(FolderInUseError, match=f"process {first.process.pid} "):
            only_writer(tmp_path / "run").__enter__()
        assert first.write("a") == "wrote"
        assert first.end() == 0
    assert os.listdir(tmp_path / "run") == ["metrics.json"]
    with only_writer(tmp_path / "run"):
        pass


@needs_locks
def test_a_stopped_process_keeps_the_folder_and_a_killed_one_does_not(tmp_path):
    with writer_of(tmp_path) as first:
        assert first.heard() == "owns"
        first.process.send_signal(signal.SIGSTOP)
        with pytest.raises(FolderInUseError), only_writer(tmp_path):
            pass
        first.process.send_signal(signal.SIGCONT)
        assert first.write("a") == "wrote"
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        with only_writer(tmp_path):
            write_json(tmp_path / "metrics.json", "b")
    assert os.listdir(tmp_path) == ["metrics.json"]
    assert read_json(tmp_path / "metrics.json") == "b"


@needs_locks
def test_of_several_at_the_same_moment_one_has_the_folder(tmp_path):
    writers = [Writer(tmp_path / "new" / "run") for _ in range(4)]
    try:
        said = [writer.heard().partition(":")[0] for writer in writers]
        assert sorted(said) == ["FolderInUseError"] * 3 + ["owns"]
    finally:
        for writer in writers:
            writer.end()
    # Nobody wrote anything, and so nothing is there.
    assert os.listdir(tmp_path) == []


def taken_over(folder):
    (folder / LOCK_FILE).unlink()
    (folder / LOCK_FILE).write_text('{"process": 7, "host": "h", "since": "noon"}')


def moved(folder):
    folder.rename(folder.with_name("elsewhere"))
    shutil.copytree(folder.with_name("elsewhere"), folder)


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (lambda folder: (folder / LOCK_FILE).unlink(), "no file .lock"),
        (taken_over, "another file .lock, of process 7 on h, since noon"),
        (moved, f"another file .lock, of process {os.getpid()} on"),
    ],
    ids=["deleted", "replaced", "moved"],
)
def test_whose_lock_is_gone_writes_no_more(tmp_path, change, received):
    folder = tmp_path / "run"
    with only_writer(folder):
        write_json(folder / "metrics.json", "before")
        change(folder)
        for write in (
            lambda: write_json(folder / "metrics.json", "after"),
            lambda: writing(folder / "deep" / "x").__enter__(),
            lambda: check_owned(folder),
        ):
            with pytest.raises(FolderInUseError) as raised:
                write()
            assert received in str(raised.value)
        write_json(tmp_path / "other.json", "elsewhere")
    assert read_json(folder / "metrics.json") == "before"
    # What is another's stays.
    assert (folder / LOCK_FILE).exists() is (received != "no file .lock")


def test_without_locks_the_last_to_come_writes_and_the_first_stops(tmp_path):
    with writer_of(tmp_path, "without locks") as first:
        assert first.heard() == "owns"
        assert first.write("a") == "wrote"
        with writer_of(tmp_path, "without locks") as second:
            assert second.heard() == "owns"
            assert second.write("b") == "wrote"
            assert f"of process {second.process.pid} on" in first.write("c")
            assert read_json(tmp_path / "metrics.json") == "b"
            assert second.write("d") == "wrote"
            assert second.end() == 0
    assert read_json(tmp_path / "metrics.json") == "d"


def test_within_a_process_it_is_had_as_often_as_one_likes(tmp_path):
    with only_writer(tmp_path / "run"):
        with only_writer(os.path.relpath(tmp_path / "run")):
            pass
        about = json.loads((tmp_path / "run" / LOCK_FILE).read_text())
        assert about["process"] == os.getpid()
        write_json(tmp_path / "run" / "a.json", 1)
    assert os.listdir(tmp_path / "run") == ["a.json"]


def test_an_error_on_the_way_gives_the_folder_back(tmp_path):
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path / "a" / "run"):
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "[", '{"process": "x"}', "\x1b[31m", "[]"])
def test_a_lock_file_that_says_nothing_is_nobodys(tmp_path, content):
    (tmp_path / LOCK_FILE).write_text(content)
    with only_writer(tmp_path):
        (tmp_path / LOCK_FILE).write_text(content)
        with pytest.raises(FolderInUseError, match="of another process"):
            check_owned(tmp_path / "x")


def test_a_link_is_no_lock_file(tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=LOCK_FILE), only_writer(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "x"
