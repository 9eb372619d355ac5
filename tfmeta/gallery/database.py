"""The SQLite file of a gallery: its tables, how it is made and opened.

What a change has returned from survives a kill at once, and a loss of power as far as
the disk keeps what it says that it has synced. That follows from the order of the
syncs, which SQLite documents (wal.html, pragma.html, atomiccommit.html) and
`tests/gallery/test_power_loss.py` reads from the system calls:

1. A commit appends the changed pages to the log (`-wal`), the last one marked as the
   end of a commit, each with a running checksum and the salt of the log. With
   `synchronous = FULL` the log is synced before the commit returns; the first sync of
   a new log is followed by one of the folder, so its name is there, too.
2. After a loss of power SQLite reads the log up to the last commit whose checksums are
   right. Pages of a commit that was not synced may be missing, torn, or there: the
   commit is there whole or not at all, and none before it is touched.
3. A checkpoint syncs the log, writes its pages into the file, and syncs the file. Only
   then may the log be begun anew, with another salt, by which old pages are known.
   Until then every page is in the log, too: a file half written is of no harm.
4. A gallery is made under a hidden name: files, then folder are synced, then it is
   renamed, and the folder around it synced (`folder.py`). A learner whose name is
   written into the database is synced before, file and folder.

On macOS a sync reaches the disk by `fullfsync` alone, which is set. Readers see the
state of one commit, one writer goes after the other (`writers_turn.py`). All of it
needs locks and memory that processes share: a local file system. Nothing else in this
process may open and close the file: POSIX would take SQLite's locks away.

Needs no TensorFlow.
"""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path

from tfmeta.gallery.sqlite_errors import damaged, naming_errors

FORMAT_VERSION = 1
# The file in the folder of a gallery.
DATABASE = "gallery.sqlite"
# The largest original.
MOST_BYTES = 2**28

# "tfmg", which SQLite keeps in the head of the file: another program's is refused.
_APPLICATION = 0x74666D67
# Pages of 4 KiB between two moves of the log into the file.
_CHECKPOINT_PAGES = 1000
# What the log keeps of its size when it is begun anew.
_LOG_BYTES = 64 * 2**20
# Pages in memory, in KiB: a change that is larger goes to the log before it ends.
_CACHE = 64 * 1024
# Files that are checked page by page when they are opened, which takes milliseconds.
_CHECKED_AT_ONCE = 8 * 2**20
_LONGEST_WAIT = 1e6

# A class is present as long as it has examples that were not removed. What is removed
# stays for `undo`, until it is purged. What is long comes last in a row: the rest is
# read without it. The references are checked by `verify`.
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    made_at TEXT NOT NULL,
    class INTEGER,
    former_name TEXT,
    undone_by INTEGER
);
CREATE TABLE classes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    examples INTEGER NOT NULL,
    changed_in INTEGER NOT NULL
);
CREATE UNIQUE INDEX present_names ON classes (name) WHERE examples > 0;
CREATE INDEX changed_classes ON classes (changed_in);
CREATE TABLE originals (
    digest BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE examples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class INTEGER NOT NULL REFERENCES classes (id),
    added_in INTEGER NOT NULL,
    removed_in INTEGER,
    original BLOB REFERENCES originals (digest),
    source TEXT NOT NULL,
    embedding BLOB NOT NULL
);
CREATE INDEX examples_of_classes ON examples (class);
CREATE INDEX added_examples ON examples (added_in);
CREATE INDEX removed_examples ON examples (removed_in) WHERE removed_in IS NOT NULL;
"""


def is_gallery(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a gallery."""
    return (Path(path) / DATABASE).is_file()


def make_database(path: Path, facts: dict[str, str]) -> None:
    """Writes a new one, closed and in one file.

    Args:
        path: The file, which is not there.
        facts: What is to be known of the gallery.

    Raises:
        FileExistsError: When something is there.
        OSError: When it cannot be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(
            f"`path` must be a file that is not there. Received: {path}"
        )
    with naming_errors(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            # Pages that become free can be given back without writing all others.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _keep_log(connection, path)
            connection.executescript(f"BEGIN; {_SCHEMA}")
            connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def open_database(path: Path, *, wait: float) -> sqlite3.Connection:
    """Opens one, for reading and writing.

    Args:
        path: The file.
        wait: Seconds to wait for another writer.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is no gallery, damaged, or of a newer version, or `wait` is
            out of range.
        FolderInUseError: When it is in use for longer.
        OSError: When it cannot be opened.
    """
    if not (math.isfinite(wait) and 0 <= wait <= _LONGEST_WAIT):
        raise ValueError(
            f"`wait` must be seconds from 0 to {_LONGEST_WAIT:,.0f}. Received: {wait}"
        )
    if not path.is_file():
        what = "a folder" if path.is_dir() else "none"
        raise FileNotFoundError(f"{path} must be a gallery's file. Received: {what}")
    # Where nothing can be written SQLite cannot share its log.
    how = "mode=ro&immutable=1" if is_frozen(path) else "mode=rw"
    with naming_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _distrust(connection)
            _check_form(connection, path)
            if how == "mode=rw":
                _keep_log(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def is_frozen(path: Path) -> bool:
    """Whether the file is on a disk that can only be read, and complete there.

    Raises:
        OSError: When it can only be read, and a part of it is in its log.
    """
    if not hasattr(os, "statvfs") or not (
        os.statvfs(path.parent).f_flag & os.ST_RDONLY
    ):
        return False
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise OSError(
            f"{path} must be closed by whoever writes it, to be read from a disk that "
            f"can only be read. Received: a log, {log.name}; open the gallery once "
            "where it can be written"
        )
    return True


def _distrust(connection: sqlite3.Connection) -> None:
    """Nothing in the file is run, and no value can be larger than a gallery's."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if hasattr(connection, "setlimit"):  # from Python 3.11 on
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES + 2**20)


def _keep_log(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise OSError(
            f"{path} must be on a file system with shared memory, as local ones are. "
            "Received: one where SQLite cannot keep a write-ahead log"
        )
    for setting in (
        "synchronous = FULL",
        "fullfsync = ON",
        "checkpoint_fullfsync = ON",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"journal_size_limit = {_LOG_BYTES}",
        f"cache_size = -{_CACHE}",
        # What was purged is overwritten where its page stays.
        "secure_delete = FAST",
    ):
        connection.execute(f"PRAGMA {setting}")


def _check_form(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise ValueError(
            f"{path} must be the file of a gallery. Received: an SQLite file of "
            "another program, or an empty one"
        )
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} must have a format version of at most {FORMAT_VERSION}; a newer "
            f"tfmeta wrote it. Received: {version}"
        )
    # Also no view or trigger more, whose statements would be run.
    if version != FORMAT_VERSION or _schema_of(connection) != _expected_schema():
        raise damaged(path, "other tables")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    if pages * size <= _CHECKED_AT_ONCE:
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise damaged(path, problem)


def _schema_of(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    # What ANALYZE writes is for SQLite's plans alone.
    found = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite!_stat_' ESCAPE '!'"
    )
    return set(found)


def _expected_schema() -> set[tuple[str, ...]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(_SCHEMA)
        return _schema_of(connection)
    finally:
        connection.close()
