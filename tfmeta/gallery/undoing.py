"""Undoing a change, within a transaction of the caller."""

from __future__ import annotations

import sqlite3

from tfmeta.gallery import rows

# Changes that `undo` passes over: what they did holds for all that is kept.
_LASTING = ("undo", "re-embed", "settings", "purge")


def undo_latest(connection: sqlite3.Connection) -> int | None:
    """Undoes the latest change that is not yet undone.

    All changes after it are undone already, so it finds what it has left: nobody has
    taken the name that a class gets back, and all that it added is there.

    Returns:
        The number of the change that was undone, `None` where there is none.
    """
    marks = ", ".join("?" * len(_LASTING))
    found = connection.execute(
        "SELECT number, kind, what, class, former_name FROM changes"
        f" WHERE undone_by IS NULL AND kind NOT IN ({marks})"
        " ORDER BY number DESC LIMIT 1",
        _LASTING,
    ).fetchone()
    if found is None:
        return None
    undone, kind, what, class_id, former_name = found
    number = rows.add_change(connection, "undo", f"{kind}: {what}")
    if kind == "rename":
        rows.name_class(connection, number, class_id, former_name)
    else:
        column = "added_in" if kind == "enrol" else "removed_in"
        new = number if kind == "enrol" else None
        classes = connection.execute(
            f"SELECT DISTINCT class FROM examples WHERE {column} = ?", (undone,)
        ).fetchall()
        connection.execute(
            f"UPDATE examples SET removed_in = ? WHERE {column} = ?", (new, undone)
        )
        rows.recount(connection, number, [one for (one,) in classes])
    connection.execute(
        "UPDATE changes SET undone_by = ? WHERE number = ?", (number, undone)
    )
    return undone
