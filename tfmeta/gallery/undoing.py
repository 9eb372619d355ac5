"""Undoing a change, within a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from tfmeta.gallery import rows
from tfmeta.json_files import json_text, parse_json

# Of changes of settings, what can be undone: what is but a rule.
_RULES = frozenset({"threshold"})


def former_facts(connection: sqlite3.Connection, facts: Collection[str]) -> str | None:
    """What `undo` needs to bring back facts; `None` for those that it cannot.

    Args:
        connection: Before they are changed.
        facts: Their names.
    """
    before = rows.facts(connection)
    if not _RULES.issuperset(facts) or not before.keys() >= set(facts):
        return None
    return json_text({name: before[name] for name in facts}, "facts of a gallery")


def undo_latest(connection: sqlite3.Connection, *, past: bool) -> int:
    """Undoes the latest change that is not yet undone.

    All changes after it are undone already, so it finds what it has left: nobody has
    taken the name that a class gets back, and all that it added is there.

    Args:
        connection: The only writer's.
        past: Whether to pass over changes that cannot be undone, as an embedding by
            another encoder: what they did holds for all that is kept.

    Returns:
        The number of the change that was undone.

    Raises:
        ValueError: When there is none, or the latest cannot be undone and `past` is
            False.
    """
    latest = connection.execute(
        "SELECT number, kind, what, class, former_name FROM changes"
        " WHERE undone_by IS NULL AND kind NOT IN ('undo', 'purge')"
        " ORDER BY number DESC"
    )
    for found in latest:
        _, kind, what, _, former = found
        if kind != "re-embed" and not (kind == "settings" and former is None):
            return _undo(connection, *found)
        if not past:
            raise ValueError(
                "the latest change must be one that can be undone, or `past` be true, "
                f"which passes over it. Received: {kind}, {what}"
            )
    raise ValueError(
        "the gallery must hold a change that can be undone. Received: none"
    )


def _undo(
    connection: sqlite3.Connection,
    undone: int,
    kind: str,
    what: str,
    class_id: int,
    former_name: str,
) -> int:
    number = rows.add_change(connection, "undo", f"{kind}: {what}")
    if kind == "rename":
        rows.name_class(connection, number, class_id, former_name)
    elif kind == "settings":
        for name, value in parse_json(former_name, "a change of settings").items():
            rows.set_fact(connection, name, value)
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
