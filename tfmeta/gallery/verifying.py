"""Whether all of a gallery is what it was, within a transaction of the caller."""

from __future__ import annotations

import math
import sqlite3

from tfmeta.gallery import rows
from tfmeta.gallery.class_names import class_name, quoted
from tfmeta.gallery.reading import read_classes
from tfmeta.gallery.records import digest_of
from tfmeta.sqlite.errors import DamagedError


def verify_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Reads all of it: pages, indices, references, embeddings, names, originals.

    Returns:
        The number of `"classes"`, of their `"examples"`, of what was `"removed"` and
        can be undone, and of `"originals"`.

    Raises:
        DamagedError: At the first problem.
    """
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        raise DamagedError(problem)
    dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    if dangling:
        raise DamagedError(f"{len(dangling):,} examples of no class, or no original")
    classes = read_classes(connection, 0)
    for name in classes.names:
        _check_name(name)
    size = math.prod(rows.embedding_shape(connection)) * rows.EMBEDDING.itemsize
    wrong, removed = connection.execute(
        "SELECT coalesce(sum(typeof(embedding) != 'blob' OR length(embedding) != ?),"
        " 0), count(removed_in) FROM examples",
        (size,),
    ).fetchone()
    if wrong:
        raise DamagedError(f"{wrong:,} embeddings of another shape")
    return {
        "classes": len(classes),
        "examples": len(classes.example_ids),
        "removed": removed,
        "originals": _verified_originals(connection),
    }


def _check_name(name: str) -> None:
    try:
        good = class_name("name", name) == name
    except ValueError:
        good = False
    if not good:
        raise DamagedError(f"a class named {quoted(name)}")


def _verified_originals(connection: sqlite3.Connection) -> int:
    count = 0
    for digest, kind, content in connection.execute("SELECT * FROM originals"):
        if digest_of(kind, content) != digest:
            raise DamagedError(
                f"an original of {len(content):,} bytes that was changed"
            )
        count += 1
    return count
