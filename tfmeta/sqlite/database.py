"""An SQLite file: how it is made and opened.

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
4. The folder of a new file is made under a hidden name: files, then folder are synced,
   then it is renamed, and the folder around it synced (`new_folder.py`). Another file,
   whose name is written into the database, must be synced before, file and folder.

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

from tfmeta.sqlite.errors import damaged, naming_errors
from tfmeta.sqlite.schema import Schema

# Pages of 4 KiB between two moves of the log into the file.
_CHECKPOINT_PAGES = 1000
# What the log keeps of its size when it is begun anew.
_LOG_BYTES = 64 * 2**20
# Pages in memory, in KiB: a change that is larger goes to the log before it ends.
_CACHE = 64 * 1024
# Files that are checked page by page when they are opened, which takes milliseconds.
_CHECKED_AT_ONCE = 8 * 2**20
_LONGEST_WAIT = 1e6

# The first table of every file, by whose text it is known.
_FACTS = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def make_database(path: Path, schema: Schema, facts: dict[str, str]) -> None:
    """Writes a new one, closed and in one file.

    Args:
        path: The file, which is not there.
        schema: Its kind.
        facts: What is to be known of all of it, by name.

    Raises:
        FileExistsError: When something is there.
        OSError: When it cannot be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(
            f"`path` must be a file that is not there. Received: {path}"
        )
    with naming_errors(path, schema.what):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            # Pages that become free can be given back without writing all others.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _keep_log(connection, path)
            connection.executescript(f"BEGIN; {_FACTS}{schema.tables}")
            connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            connection.execute(f"PRAGMA application_id = {schema.application}")
            connection.execute(f"PRAGMA user_version = {schema.version}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def open_database(path: Path, schema: Schema, *, wait: float) -> sqlite3.Connection:
    """Opens one, for reading and writing.

    Args:
        path: The file.
        schema: The kind that it must be of.
        wait: Seconds to wait for another writer.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is of another kind, damaged, or of a newer version, or
            `wait` is out of range.
        FolderInUseError: When it is in use for longer.
        OSError: When it cannot be opened.
    """
    if not (math.isfinite(wait) and 0 <= wait <= _LONGEST_WAIT):
        raise ValueError(
            f"`wait` must be seconds from 0 to {_LONGEST_WAIT:,.0f}. Received: {wait}"
        )
    if not path.is_file():
        there = "a folder" if path.is_dir() else "none"
        raise FileNotFoundError(
            f"{path} must be a {schema.what}'s file. Received: {there}"
        )
    # Where nothing can be written SQLite cannot share its log.
    how = "mode=ro&immutable=1" if is_frozen(path) else "mode=rw"
    with naming_errors(path, schema.what):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _distrust(connection, schema)
            _check_form(connection, path, schema)
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
            f"can only be read. Received: a log, {log.name}; open it once where "
            "it can be written"
        )
    return True


def _distrust(connection: sqlite3.Connection, schema: Schema) -> None:
    """Nothing in the file is run, and no value can be larger than those of its kind."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if hasattr(connection, "setlimit"):  # from Python 3.11 on
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, schema.most_bytes + 2**20)


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


def _check_form(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.application:
        raise ValueError(
            f"{path} must be the file of a {schema.what}. Received: an SQLite file of "
            "another program, or an empty one"
        )
    if version > schema.version:
        raise ValueError(
            f"{path} must have a format version of at most {schema.version}; a newer "
            f"tfmeta wrote it. Received: {version}"
        )
    # Also no view or trigger more, whose statements would be run.
    if version != schema.version or _tables_of(connection) != _expected_tables(schema):
        raise damaged(path, schema.what, "other tables")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    if pages * size <= _CHECKED_AT_ONCE:
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise damaged(path, schema.what, problem)


def _tables_of(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    # What ANALYZE writes is for SQLite's plans alone.
    found = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite!_stat_' ESCAPE '!'"
    )
    return set(found)


def _expected_tables(schema: Schema) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(f"{_FACTS}{schema.tables}")
        return _tables_of(connection)
    finally:
        connection.close()
