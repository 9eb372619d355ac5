"""Erasing what was removed, from the tables and then from the files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tfmeta.gallery import rows

# What says which file an index is in.
INDEX_DESCRIPTION = "index.json"

# Pages that are moved and given back at once: room that the log needs meanwhile.
_AT_ONCE = 1000
# What to say when it is in vain.
AFTER_ERASING = (
    "; what was removed is erased, but bytes of it are left in the files: purge again"
)


def erase_removed(connection: sqlite3.Connection) -> int:
    """Deletes what was removed, within a transaction of the caller.

    Returns:
        The number of the change.
    """
    count = connection.execute(
        "DELETE FROM examples WHERE removed_in IS NOT NULL"
    ).rowcount
    # Whoever has read a class before learns by its row that it is gone.
    connection.execute("UPDATE classes SET name = '' WHERE examples = 0 AND name != ''")
    connection.execute(
        "DELETE FROM originals WHERE digest NOT IN"
        " (SELECT original FROM examples WHERE original IS NOT NULL)"
    )
    # Their words name what was removed.
    connection.execute("DELETE FROM changes")
    what = f"{count:,} removed example{'s' * (count != 1)}"
    return rows.add_change(connection, "purge", what)


def remove_index(folder: Path) -> None:
    """Removes the index in a folder, which holds vectors of classes that were erased.

    It is made again when it is next asked.
    """
    for file in (folder / INDEX_DESCRIPTION, *folder.glob("index-*.usearch")):
        file.unlink(missing_ok=True)


def give_back_pages(connection: sqlite3.Connection) -> bool:
    """Cuts free pages from the file, and empties the log.

    Args:
        connection: The only writer's, outside of a transaction.

    Returns:
        Whether there are more.

    Raises:
        sqlite3.OperationalError: When there is no room, or others read for long.
    """
    # Of a statement without columns `execute` takes one step, here a single page.
    connection.executescript(f"PRAGMA incremental_vacuum({_AT_ONCE})")
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the log is locked by one who reads")
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return free > 0
