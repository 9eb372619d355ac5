"""Statements on the rows of a gallery's tables, within a transaction of the caller."""

from __future__ import annotations

import datetime
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tfmeta.finite_checks import check_finite
from tfmeta.gallery.records import (
    Change,
    FactsChangedError,
    NewExample,
    Original,
    StoredClass,
)
from tfmeta.printable import one_line

# Of the facts: the shape of an embedding, as a JSON list.
EMBEDDING_SHAPE = "embedding_shape"

_EMBEDDING = np.dtype("<f4")
_MOST_NAMED = 5

One = TypeVar("One")


def facts(connection: sqlite3.Connection) -> dict[str, str]:
    """What is known of the gallery, by name."""
    return dict(connection.execute("SELECT name, value FROM facts"))


def set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Writes what is known of the gallery."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def check_facts(connection: sqlite3.Connection, expected: Mapping[str, str]) -> None:
    """Checks that facts are still what they were.

    Raises:
        FactsChangedError: When one is not; names it.
    """
    found = facts(connection)
    for name, value in expected.items():
        if found.get(name) != value:
            raise FactsChangedError(
                f"`{name}` of the gallery must be {value}, as it was read before. "
                f"Received: {found.get(name)}, by another process; nothing was changed"
            )


def embedding_shape(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Shape of an embedding."""
    (value,) = connection.execute(
        "SELECT value FROM facts WHERE name = ?", (EMBEDDING_SHAPE,)
    ).fetchone()
    return tuple(json.loads(value))


def version(connection: sqlite3.Connection) -> int:
    """Number of the latest change, 0 for none."""
    (number,) = connection.execute("SELECT max(number) FROM changes").fetchone()
    return number or 0


def add_change(
    connection: sqlite3.Connection,
    kind: str,
    what: str,
    class_id: int | None = None,
    former_name: str | None = None,
) -> int:
    """Writes a change, and returns its number."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    cursor = connection.execute(
        "INSERT INTO changes (kind, what, made_at, class, former_name)"
        " VALUES (?, ?, ?, ?, ?)",
        (kind, what, now, class_id, former_name),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def read_change(connection: sqlite3.Connection, number: int) -> Change:
    """The change of a number."""
    row = connection.execute(
        "SELECT number, kind, what, made_at, undone_by IS NOT NULL FROM changes"
        " WHERE number = ?",
        (number,),
    ).fetchone()
    return as_change(row)


def as_change(row: tuple[int, str, str, str, int]) -> Change:
    """A change from a row of its table, the last whether it was undone."""
    number, kind, what, made_at, undone = row
    return Change(number, kind, what, made_at, bool(undone))


def class_id(connection: sqlite3.Connection, name: str) -> int:
    """The id of the class with a name.

    Raises:
        KeyError: When there is none.
    """
    found = connection.execute(
        "SELECT id FROM classes WHERE name = ? AND examples > 0", (name,)
    ).fetchone()
    if found is None:
        names = connection.execute(
            "SELECT name FROM classes WHERE examples > 0 ORDER BY id LIMIT 100"
        ).fetchall()
        there = some_names([one for (one,) in names]) if names else "no class"
        raise KeyError(
            f"`name` must be a class of the gallery, which has {there}. Received: "
            f"{one_line(name)!r}"
        )
    return found[0]


def present_ids(connection: sqlite3.Connection, class_id: int) -> list[int]:
    """Ids of the examples of a class that were not removed."""
    found = connection.execute(
        "SELECT id FROM examples WHERE class = ? AND removed_in IS NULL ORDER BY id",
        (class_id,),
    )
    return [one for (one,) in found]


def recount(
    connection: sqlite3.Connection, number: int, class_ids: Iterable[int]
) -> None:
    """Brings the number of examples of classes up to date, as of a change."""
    connection.executemany(
        "UPDATE classes SET changed_in = ?, examples ="
        " (SELECT count(*) FROM examples WHERE class = classes.id"
        " AND removed_in IS NULL) WHERE id = ?",
        [(number, one) for one in class_ids],
    )


def insert_example(
    connection: sqlite3.Connection,
    class_id: int,
    number: int,
    example: NewExample,
    shape: tuple[int, ...],
) -> None:
    """Writes an example of a class.

    Raises:
        ValueError: When its embedding has another shape, or is not finite.
    """
    if example.embedding.shape != shape:
        raise ValueError(
            f"embeddings must be of shape {shape}, as those of the gallery. Received: "
            f"{example.embedding.shape}"
        )
    check_finite("embedding", example.embedding)
    original = example.original
    if original is not None:
        connection.execute(
            "INSERT OR IGNORE INTO originals VALUES (?, ?, ?)",
            (original.digest, original.kind, original.content),
        )
    connection.execute(
        "INSERT INTO examples (class, embedding, source, original, added_in)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            class_id,
            as_blob(example.embedding),
            example.source,
            None if original is None else original.digest,
            number,
        ),
    )


def as_blob(embedding: np.ndarray) -> bytes:
    """An embedding as it is kept."""
    return np.ascontiguousarray(embedding, _EMBEDDING).tobytes()


def classes_since(connection: sqlite3.Connection, version: int) -> list[StoredClass]:
    """The classes that changes after a version were about, as they are now."""
    classes = connection.execute(
        "SELECT id, name FROM classes WHERE changed_in > ?"
        " AND (examples > 0 OR ? > 0) ORDER BY id",
        (version, version),
    ).fetchall()
    examples = connection.execute(
        "SELECT e.class, e.id, e.embedding FROM classes c JOIN examples e"
        " ON e.class = c.id WHERE c.changed_in > ? AND e.removed_in IS NULL"
        " ORDER BY e.class, e.id",
        (version,),
    ).fetchall()
    return _grouped(connection, classes, examples)


def _grouped(
    connection: sqlite3.Connection,
    classes: Sequence[tuple[int, str]],
    examples: Sequence[tuple[int, int, bytes]],
) -> list[StoredClass]:
    """Classes with their examples.

    Args:
        connection: Where they are from.
        classes: Id and name, by id.
        examples: Class, id and embedding, by class.
    """
    shape = embedding_shape(connection)
    by_class = {
        number: list(rows)
        for number, rows in itertools.groupby(examples, key=lambda row: row[0])
    }
    found = []
    for number, name in classes:
        of_class = by_class.get(number, [])
        content = b"".join(blob for _, _, blob in of_class)
        embeddings = np.frombuffer(content, _EMBEDDING).reshape(-1, *shape)
        ids = np.array([one for _, one, _ in of_class], np.int64)
        found.append(StoredClass(number, name, embeddings, ids))
    return found


def digests_to_embed(connection: sqlite3.Connection) -> set[bytes]:
    """Digests of the originals of all examples.

    Raises:
        ValueError: When an example has none.
    """
    (without,) = connection.execute(
        "SELECT count(*) FROM examples WHERE original IS NULL"
    ).fetchone()
    if without:
        raise ValueError(
            "all examples must have their original, to be embedded anew; those that "
            f"were removed are erased by `purge`. Received: {without:,} without"
        )
    found = connection.execute("SELECT DISTINCT original FROM examples")
    return {digest for (digest,) in found}


def originals(
    connection: sqlite3.Connection, digests: Sequence[bytes]
) -> list[Original]:
    """The originals of some digests, in their order."""
    marks = ", ".join("?" * len(digests))
    found = connection.execute(
        f"SELECT digest, kind, content FROM originals WHERE digest IN ({marks})",
        digests,
    )
    by_digest = {d: Original(kind, content, d) for d, kind, content in found}
    return [by_digest[digest] for digest in digests]


def parts(values: Sequence[One], size: int) -> Iterator[Sequence[One]]:
    """Parts of at most a size."""
    return (values[start : start + size] for start in range(0, len(values), size))


def some_names(names: Iterable[str]) -> str:
    """The first names of classes, in a sentence."""
    quoted = [repr(one_line(name)) for name in names]
    more = f" and {len(quoted) - _MOST_NAMED:,} more" * (len(quoted) > _MOST_NAMED)
    return ", ".join(quoted[:_MOST_NAMED]) + more


def some_ids(ids: Sequence[int]) -> str:
    """The first ids of examples, in a sentence."""
    more = f" and {len(ids) - _MOST_NAMED:,} more" * (len(ids) > _MOST_NAMED)
    return ", ".join(map(str, ids[:_MOST_NAMED])) + more
