"""Files that are no gallery, no longer, or somebody else's: refused by name."""

import os
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest
from gallery_changes import GalleryStore, examples, facts, state_of


@pytest.fixture
def path(tmp_path):
    """A gallery of 30 classes, closed."""
    path = tmp_path / "gallery.sqlite"
    with GalleryStore.create(path, facts()) as store:
        store.enrol({f"class {n}": examples(0, [n, n + 100]) for n in range(30)})
        store.forget("class 7")
    return path


def use(path):
    """All ways to read and to write."""
    with GalleryStore(path) as store:
        store.facts()
        state_of(store)
        store.changes()
        store.verify()
        store.undo()
        store.enrol({"new": examples(0, [1])})
        store.forget("class 1")
        store.purge()


def change(path, *statements):
    """What somebody else has done to the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "another program, or an empty one"),
        (b"x" * 4096, "file is not a database"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "file is not a database"),
    ],
    ids=["empty", "other", "head"],
)
def test_files_that_are_none(tmp_path, content, said):
    path = tmp_path / "gallery.sqlite"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as refused:
        GalleryStore(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == content


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: none"):
        GalleryStore(tmp_path / "gallery.sqlite")
    with pytest.raises(FileNotFoundError, match="Received: a folder"):
        GalleryStore(tmp_path)


def test_the_file_of_another_program(tmp_path):
    path = tmp_path / "gallery.sqlite"
    change(path, "CREATE TABLE classes (id, name)")
    with pytest.raises(ValueError, match="another program"):
        GalleryStore(path)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 2", "a newer tfmeta wrote it. Received: 2"),
        ("PRAGMA user_version = 0", "other tables"),
        ("CREATE VIEW more AS SELECT load_extension('x')", "other tables"),
        ("DROP INDEX present_names", "other tables"),
        (
            "CREATE TRIGGER more AFTER INSERT ON examples BEGIN DELETE FROM facts; END",
            "other tables",
        ),
        ("ALTER TABLE classes ADD COLUMN more", "other tables"),
    ],
    ids=["newer", "older", "view", "index", "trigger", "column"],
)
def test_other_tables_than_a_gallery_has(path, statement, said):
    change(path, statement)
    with pytest.raises(ValueError, match=said) as refused:
        GalleryStore(path)
    assert str(path) in str(refused.value)


def test_tables_that_are_views(path):
    change(
        path,
        "DROP TABLE facts",
        "CREATE VIEW facts AS SELECT 'embedding_shape' AS name, '[4]' AS value",
    )
    with pytest.raises(ValueError, match="other tables"):
        GalleryStore(path)


def test_what_sqlite_keeps_for_its_plans_is_no_damage(path):
    change(path, "ANALYZE")
    use(path)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE examples SET embedding = x'00' WHERE id = 5", "not of shape"),
        ("UPDATE examples SET embedding = 'text' WHERE id = 5", "not of shape"),
        (
            "UPDATE examples SET embedding = zeroblob(20000000) WHERE id = 5",
            "not of shape",
        ),
        (
            "UPDATE examples SET embedding = x'0000c07f000000000000000000000000'",
            "not finite",
        ),
        ("UPDATE examples SET class = 'text' WHERE id = 5", "of no class"),
        ("UPDATE examples SET class = 99 WHERE id = 5", "another number of examples"),
        ("UPDATE classes SET examples = 1000000000000", "another number of examples"),
        ("UPDATE classes SET examples = 0 WHERE id = 3", "another number of examples"),
        ("UPDATE classes SET name = x'ff' WHERE id = 3", "type|UTF-8"),
        ("UPDATE classes SET name = cast(x'ff' AS TEXT) WHERE id = 3", "UTF-8"),
        ("DELETE FROM facts WHERE name = 'embedding_shape'", "no shape"),
        ("UPDATE facts SET value = '[1e9]' WHERE name = 'embedding_shape'", "no shape"),
        ("UPDATE facts SET value = '[-4]' WHERE name = 'embedding_shape'", "no shape"),
        ("UPDATE facts SET value = '[99999999]'", "no shape"),
        ("UPDATE facts SET value = '{' WHERE name = 'embedding_shape'", "no shape"),
    ],
    ids=[
        *("short", "text", "huge", "nan", "no number", "no class", "most", "gone"),
        *("bytes", "encoding", "missing", "float", "negative", "large", "json"),
    ],
)
def test_rows_that_no_gallery_has(path, statement, said):
    change(path, statement)
    with (
        pytest.raises(ValueError, match=said) as refused,
        GalleryStore(path) as store,
    ):
        store.changed_since(0)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE originals SET content = x'00' WHERE rowid = 3", "that was changed"),
        ("DELETE FROM originals WHERE rowid = 3", "of no class, or no original"),
        ("UPDATE examples SET embedding = x'00' WHERE removed_in > 0", "another shape"),
        ("UPDATE classes SET name = 'e' || char(769) WHERE id = 3", "a class named"),
    ],
    ids=["original", "no original", "removed", "name"],
)
def test_verifying_finds_what_is_not_read(path, statement, said):
    change(path, statement)
    with GalleryStore(path) as store:
        store.changed_since(0)
        with pytest.raises(ValueError, match=said) as refused:
            store.verify()
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_is_an_error_that_names_the_file_or_none(path, seed):
    """Never one of SQLite's own, whatever it hits."""
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    if seed % 4 == 0:
        del content[rng.integers(100, len(content)) :]
    elif seed % 4 == 1:
        start = rng.integers(0, len(content) - 600)
        content[start : start + 512] = rng.bytes(512)
    else:
        for place in rng.integers(0, len(content), 20 if seed % 4 == 2 else 2000):
            content[place] = rng.integers(256)
    path.write_bytes(content)
    try:
        use(path)
    except KeyError:  # a name that is another now
        pass
    except (ValueError, OSError) as error:
        assert str(path) in str(error)


def test_a_damaged_log_is_cut_where_it_is_damaged(path):
    """As after a loss of power: what is whole before it stays."""
    copy = path.with_name("copy.sqlite")
    with GalleryStore(path) as store:
        before = state_of(store)
        store.enrol({"new": examples(0, [7])})
        # Read by another program: closing it here would take SQLite's locks away.
        for end in ("", "-wal"):
            subprocess.run(["cp", f"{path}{end}", f"{copy}{end}"], check=True)
    log = copy.with_name("copy.sqlite-wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 255
    log.write_bytes(content)
    with GalleryStore(copy) as store:
        assert state_of(store) == before
        store.verify()


def test_a_gallery_that_is_removed_while_it_is_open(path):
    with GalleryStore(path) as store:
        shutil.rmtree(path.parent)
        with pytest.raises(OSError) as refused:
            store.enrol({"new": examples(0, [7])})
        assert str(path.parent) in str(refused.value)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything"
)
def test_a_file_that_may_not_be_read_or_written(path):
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with pytest.raises(OSError, match="gallery.sqlite"):
            GalleryStore(path)
    finally:
        path.parent.chmod(0o755)


@pytest.fixture
def read_only_disk(path, tmp_path):
    """The folder of the gallery, once more, on a disk that can only be read."""
    disk = tmp_path / "read only"
    disk.mkdir()
    made = subprocess.run(["mount", "--bind", path.parent, disk], capture_output=True)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        how = "remount,bind,ro"
        subprocess.run(["mount", "-o", how, path.parent, disk], check=True)
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_disk_that_can_only_be_read(path, read_only_disk):
    there = read_only_disk / path.name
    with GalleryStore(there) as store:
        assert len(state_of(store)) == 29
        store.verify()
        for refused in (store.undo, store.purge, lambda: store.forget("class 1")):
            with pytest.raises(OSError, match="can only be read here") as error:
                refused()
            assert error.value.filename == str(there)
        # Whoever can write elsewhere would not be seen.
        with GalleryStore(path) as writer:
            writer.enrol({"new": examples(0, [500])})
            with pytest.raises(OSError, match="must be closed by whoever writes it"):
                store.class_sizes()
        with pytest.raises(OSError, match="must stay as it is"):
            store.class_sizes()
    with GalleryStore(there) as store:
        assert len(state_of(store)) == 30
