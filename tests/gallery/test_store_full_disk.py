"""A disk without room refuses a change and keeps the rest."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from full_disk import files_of_at_most
from gallery_changes import SIZE, GalleryStore, examples, facts, state_of

from tfmeta.gallery.records import NewExample, Original


def large(number, size=200_000):
    content = np.random.default_rng(number).bytes(size)
    return [NewExample(np.full(SIZE, number), "", Original.of("picture", content))]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 20 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"there is no command to mount a disk: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(disk):
    """Takes all the room that is left, and returns the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return filler


def enrol_until_full(store):
    for number in range(1000):
        try:
            store.enrol({f"class {number}": large(number)})
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert error.filename == str(store.path)
            assert "the change was not made" in str(error)
            return number
    raise AssertionError("the disk was never full")


def test_a_full_disk_refuses_the_change_and_keeps_the_rest(small_disk):
    path, ballast = small_disk / "gallery.sqlite", small_disk / "ballast"
    ballast.write_bytes(bytes(5_000_000))
    with GalleryStore.create(path, facts()) as store:
        there = enrol_until_full(store)
        assert there > 20
        kept = state_of(store)
        assert [name for name, _ in kept] == [f"class {n}" for n in range(there)]
        store.verify()
        # In another process, while it is full.
        code = (
            "import sys; from tfmeta.gallery.store import GalleryStore\n"
            "with GalleryStore(sys.argv[1]) as store:\n"
            "    print(len(store.changed_since(0)[1]))"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True
        )
        assert other.stdout == f"{there}\n", other.stderr
        # With some room it goes on, and what is removed makes more of it.
        ballast.unlink()
        store.rename("class 0", "first")
        for number in range(1, there // 2):
            store.forget(f"class {number}")
        store.purge()
        assert os.statvfs(small_disk).f_bavail * 4096 > 5 * 2**20
        store.enrol({"new": large(5000)})
        store.verify()
        assert len(state_of(store)) == there - there // 2 + 2
    with GalleryStore(path) as store:
        assert list(store.class_sizes())[-1] == "new"
        store.verify()


def test_there_is_no_room_for_anything(small_disk):
    path = small_disk / "gallery.sqlite"
    with GalleryStore.create(path, facts()) as store:
        store.enrol({"cup": large(0)})
    filler = fill(small_disk)
    with pytest.raises(OSError, match="No space left") as refused:
        GalleryStore(path)
    assert refused.value.errno == errno.ENOSPC
    assert refused.value.filename == str(path)
    filler.unlink()
    with GalleryStore(path) as store:
        filler = fill(small_disk)
        for change in (
            lambda: store.enrol({"mug": examples(0, [1])}),
            lambda: store.forget("cup"),
            lambda: store.rename("cup", "mug"),
            store.undo,
            store.purge,
            lambda: store.re_embed(lambda found: np.ones((1, SIZE)), facts(1)),
        ):
            with pytest.raises(OSError, match="No space left"):
                change()
            assert store.class_sizes() == {"cup": 1}
        assert len(store.changes()) == 1
        filler.unlink()
        store.forget("cup")
        store.undo()
        store.verify()


def test_a_new_gallery_on_a_full_disk(small_disk):
    fill(small_disk)
    with pytest.raises(OSError, match="No space left|disk is full"):
        GalleryStore.create(small_disk / "gallery.sqlite", facts())


def test_files_that_may_not_grow_refuse_the_change_and_keep_the_rest(tmp_path):
    """Needs no disk of its own: what the system says is another error, of the file."""
    path = tmp_path / "gallery.sqlite"
    with GalleryStore.create(path, facts()) as store:
        store.enrol({"cup": large(0)})
        with files_of_at_most(1_000_000):
            with pytest.raises(OSError, match="the change was not made") as refused:
                store.enrol({f"class {number}": large(number) for number in range(9)})
            assert refused.value.filename == str(path)
            assert store.class_sizes() == {"cup": 1}
            store.enrol({"mug": examples(0, [0])})
        store.enrol({f"class {number}": large(number) for number in range(9)})
        assert len(store.class_sizes()) == 11
        store.verify()


def test_a_database_of_at_most_some_pages(tmp_path):
    """As a full disk, on every system: SQLite says the same of both."""
    path = tmp_path / "gallery.sqlite"
    with GalleryStore.create(path, facts()) as store:
        store.enrol({"cup": large(0)})
        with store._file.own_turn() as connection:
            connection.execute("PRAGMA max_page_count = 200").fetchall()
        there = enrol_until_full(store)
        store.verify()
        assert len(store.class_sizes()) == there + 1
        store.forget("cup")
        store.purge()
        store.enrol({"small": examples(0, [1])})
