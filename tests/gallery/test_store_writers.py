"""Writers queue, readers see whole changes."""

import os
import sqlite3
import subprocess
import sys
import threading

import gallery_changes
import pytest
from gallery_changes import GalleryStore, examples, facts, state_of

from tfmeta.one_writer import FolderInUseError
from tfmeta.sqlite.writers_turn import writers_turn


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "gallery.sqlite"
    GalleryStore.create(path, facts()).close()
    return path


def run(code, *arguments):
    """Another process that has `gallery_changes`, and `path`."""
    program = (
        f"import sys; sys.path.insert(0, {os.path.dirname(gallery_changes.__file__)!r})"
        f"\nfrom gallery_changes import *\npath = sys.argv[1]\n{code}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_enrol_into_one_class_lose_nothing(path):
    code = """
with GalleryStore(path) as store:
    for key in range(int(sys.argv[2]), int(sys.argv[2]) + 15):
        store.enrol({"cup": examples(0, [key]), f"own {key}": examples(0, [key])})
"""
    first, second = run(code, path, 0), run(code, path, 100)
    assert first.wait() == second.wait() == 0
    first.stdout.close()
    second.stdout.close()
    with GalleryStore(path) as store:
        keys = {*range(15), *range(100, 115)}
        sources = [one.source for one in store.examples_of("cup")]
        assert sorted(sources) == sorted(f"{key}.png" for key in keys)
        assert len(store.class_sizes()) == 31
        assert [one.number for one in store.changes()] == list(range(1, 31))
        store.verify()


def test_threads_of_one_store_and_of_several_lose_nothing(path):
    with GalleryStore(path) as shared, GalleryStore(path) as other:

        def enrol(store, key):
            store.enrol({"cup": examples(0, [key])})

        threads = [
            threading.Thread(target=enrol, args=((shared, other)[key % 2], key))
            for key in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shared.class_sizes() == other.class_sizes() == {"cup": 12}


def test_a_writer_that_does_not_end_is_told_of(path):
    with GalleryStore(path) as store:
        store.enrol({"cup": examples(0, [0])})
        waiting = GalleryStore(path, wait=0.05)
        with writers_turn(path, wait=0), pytest.raises(FolderInUseError) as refused:
            waiting.enrol({"mug": examples(0, [1])})
        assert str(path) in str(refused.value)
        assert "one process at a time" in str(refused.value)
        assert waiting.class_sizes() == {"cup": 1}
        waiting.enrol({"mug": examples(0, [1])})
        waiting.close()


def test_a_writer_by_other_means_is_told_of_too(path):
    """The `sqlite3` command knows nothing of the queue, but SQLite's own locks hold."""
    other = sqlite3.connect(path, isolation_level=None)
    with GalleryStore(path, wait=0.05) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FolderInUseError, match="one process at a time"):
            store.enrol({"cup": examples(0, [0])})
        assert store.class_sizes() == {}  # reading goes on
        other.execute("ROLLBACK")
        store.enrol({"cup": examples(0, [0])})
    other.close()


def test_readers_see_all_of_a_class_or_nothing(path):
    """And every state that they see is one that was there, in its order."""
    code = """
store, seen = GalleryStore(path), set()
while True:
    version, classes = store.changed_since(0)
    sizes = {len(one.embeddings) for one in classes}
    assert sizes <= {5}, sizes
    assert sum(store.class_sizes().values()) % 5 == 0
    seen.add(version)
    if "last" in classes.names:
        break
print(len(seen))
"""
    readers = [run(code, path), run(code, path)]
    with GalleryStore(path) as store:
        for number in range(24):
            name = f"class {number}"
            store.enrol({name: examples(0, range(5 * number, 5 * number + 5))})
            if number % 3 == 1:
                store.forget(name)
            if number % 3 == 2:
                store.undo()
            if number % 12 == 11:
                store.purge()
        store.enrol({"last": examples(0, range(5))})
        for reader in readers:
            said, _ = reader.communicate()
            assert reader.returncode == 0
            assert int(said) >= 1
        assert {len(of_class) for _, of_class in state_of(store)} == {5}


def test_what_is_enrolled_while_originals_are_embedded_is_embedded_as_well(path):
    with GalleryStore(path) as store, GalleryStore(path) as other:
        store.enrol({"cup": examples(0, [0, 1])})
        calls = []

        def embed(originals):
            if not calls:
                other.enrol({"mug": examples(0, [2])})
            calls.append(len(originals))
            return [
                gallery_changes.embedding(5, gallery_changes.key_of(one))
                for one in originals
            ]

        store.re_embed(embed, facts(5))
        assert calls == [2, 1]
        expected = gallery_changes.Model()
        expected.make(["enrol", {"cup": [0, 1], "mug": [2]}])
        expected.make(["re_embed", 5])
        assert state_of(other) == expected.state()
        # Whoever still has the encoder of before is refused, not mixed.
        with pytest.raises(ValueError, match="`encoder` of the gallery must be 0"):
            other.enrol({"jug": examples(0, [3])}, expected={"encoder": "0"})
        assert state_of(other) == expected.state()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_process_must_open_its_own(path):
    with GalleryStore(path) as store:
        child = os.fork()
        if not child:
            try:
                store.class_sizes()
            except RuntimeError as error:
                os._exit(0 if "opened again" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store.enrol({"cup": examples(0, [0])})
