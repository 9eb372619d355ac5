"""The SQLite file of a gallery: its tables, how it is opened, what its errors mean.

SQLite commits a change whole or not at all. With the write-ahead log and
`synchronous=FULL` the log is synced to the disk before a commit returns, so what has
returned survives a kill at once, and a loss of power as far as the disk keeps what it
says that it has synced. Readers see the state of the last commit, one writer goes after
the other. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tfmeta.one_writer import FolderInUseError

FORMAT_VERSION = 1
# The file in the folder of a gallery.
DATABASE = "gallery.sqlite"

# "tfmg", which SQLite keeps in the head of the file: another program's is refused.
_APPLICATION = 0x74666D67
# Pages of 4 KiB between two moves of the log into the file.
_CHECKPOINT_PAGES = 1000

# A class is present as long as it has examples that were not removed. What is removed
# stays for `undo`, until it is purged.
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
    embedding BLOB NOT NULL,
    source TEXT NOT NULL,
    original BLOB REFERENCES originals (digest),
    added_in INTEGER NOT NULL,
    removed_in INTEGER
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
        OSError: When it cannot be written.
    """
    with naming_errors(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
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
        ValueError: When it is no gallery, damaged, or of a newer version.
        OSError: When it cannot be opened.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a gallery's file. Received: none")
    with naming_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _check_form(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # What was purged is overwritten.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
    return connection


def _check_form(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise ValueError(
            f"{path} must be the file of a gallery. Received: another SQLite file"
        )
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} must have a format version of at most {FORMAT_VERSION}; a newer "
            f"tfmeta wrote it. Received: {version}"
        )


@contextlib.contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Says what SQLite's errors mean, and of which file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise FolderInUseError(
                f"{path} must be written by one process at a time. Received: another "
                "that has been writing for long; nothing was changed, try again"
            ) from error
        if code == sqlite3.SQLITE_FULL:
            full = os.strerror(errno.ENOSPC)
            raise OSError(
                errno.ENOSPC, f"{full}; the change was not made", str(path)
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise ValueError(
                f"{path} must be a whole SQLite file. Received: {error}"
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise OSError(f"{path}: {error}; the change was not made") from error
        raise
