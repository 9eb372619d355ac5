"""Statements on the rows of a gallery's tables, within a transaction of the caller."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfmeta.finite_checks import check_finite
from tfmeta.gallery.class_names import quoted
from tfmeta.gallery.records import (
    Change,
    FactsChangedError,
    NewExample,
    Original,
    OriginalFile,
)
from tfmeta.gallery.tables import MOST_BYTES
from tfmeta.sqlite.errors import DamagedError

# Of the facts: the shape of an embedding, as a JSON list.
EMBEDDING_SHAPE = "embedding_shape"

EMBEDDING = np.dtype("<f4")
# Of the numbers of an embedding: many squares of it are finite as float32.
_LARGEST = 1e15
_MOST_NAMED = 5


def set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Writes what is known of the gallery."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def facts(connection: sqlite3.Connection) -> dict[str, str]:
    """What is known of the gallery, by name."""
    return dict(connection.execute("SELECT name, value FROM facts"))


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
    found = connection.execute(
        "SELECT value FROM facts WHERE name = ?", (EMBEDDING_SHAPE,)
    ).fetchone()
    with contextlib.suppress(TypeError, ValueError):
        return checked_shape(found[0])
    raise DamagedError("no shape of an embedding")


def checked_shape(value: str) -> tuple[int, ...]:
    """A shape from its JSON.

    Raises:
        ValueError: When it is none, or larger than what is kept.
    """
    shape = json.loads(value)
    if (
        isinstance(shape, list)
        and all(type(one) is int and one > 0 for one in shape)
        and math.prod(shape) * EMBEDDING.itemsize <= MOST_BYTES
    ):
        return tuple(shape)
    raise ValueError(
        f"`{EMBEDDING_SHAPE}` must be a list of sizes, of at most {MOST_BYTES:,} bytes "
        f"in all. Received: {value:.100}"
    )


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


def find_class(connection: sqlite3.Connection, name: str) -> int | None:
    """The id of the class with a name, `None` where there is none."""
    found = connection.execute(
        "SELECT id FROM classes WHERE name = ? AND examples > 0", (name,)
    ).fetchone()
    return None if found is None else found[0]


def class_id(connection: sqlite3.Connection, name: str) -> int:
    """The id of the class with a name.

    Raises:
        KeyError: When there is none.
    """
    found = find_class(connection, name)
    if found is None:
        names = connection.execute(
            "SELECT name FROM classes WHERE examples > 0 ORDER BY id LIMIT 100"
        ).fetchall()
        there = some_names([one for (one,) in names]) if names else "no class"
        raise KeyError(
            f"`name` must be a class of the gallery, which has {there}. Received: "
            f"{quoted(name)}"
        )
    return found


def name_class(
    connection: sqlite3.Connection, number: int, class_id: int, name: str
) -> None:
    """Gives a class a name, as of a change."""
    connection.execute(
        "UPDATE classes SET name = ?, changed_in = ? WHERE id = ?",
        (name, number, class_id),
    )


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


def insert_class(connection: sqlite3.Connection, name: str) -> int:
    """Writes a class without examples, and returns its id."""
    cursor = connection.execute(
        "INSERT INTO classes (name, examples, changed_in) VALUES (?, 0, 0)", (name,)
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_examples(
    connection: sqlite3.Connection,
    class_id: int,
    number: int,
    examples: Sequence[NewExample],
    shape: tuple[int, ...],
) -> None:
    """Writes new examples of a class, and counts them.

    Raises:
        ValueError: When an embedding has another shape, or is not finite, or an
            original is too large, or the file of one is another by now.
        OSError: When the file of an original cannot be read.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO originals VALUES (?, ?, ?)",
        (
            (one.original.digest, one.original.kind, _content_of(one.original))
            for one in examples
            if one.original is not None
        ),
    )
    connection.executemany(
        "INSERT INTO examples (class, added_in, original, source, embedding)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            (
                class_id,
                number,
                None if one.original is None else one.original.digest,
                # Names of files need not be Unicode, what is kept must be.
                one.source.encode("utf-8", "backslashreplace").decode(),
                as_blob("embeddings", one.embedding, shape),
            )
            for one in examples
        ),
    )
    connection.execute(
        "UPDATE classes SET examples = examples + ?, changed_in = ? WHERE id = ?",
        (len(examples), number, class_id),
    )


def _content_of(original: Original | OriginalFile) -> bytes:
    # Of a file only here: not all are in memory at once.
    content = original.content
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"originals must be of at most {MOST_BYTES:,} bytes. Received: "
            f"{len(content):,}"
        )
    return content


def as_blob(argument: str, embedding: np.ndarray, shape: tuple[int, ...]) -> bytes:
    """An embedding as it is kept.

    Args:
        argument: Whose it is, for errors.
        embedding: Numbers.
        shape: What it must have.

    Raises:
        ValueError: When it has another shape, or is not finite as float32.
    """
    embedding = np.asarray(embedding)
    if embedding.shape != shape or embedding.dtype.kind not in "fiu":
        raise ValueError(
            f"`{argument}` must be numbers of shape {shape}, as those of the gallery. "
            f"Received: {embedding.dtype} of shape {embedding.shape}"
        )
    with np.errstate(over="ignore"):  # becomes infinite, and is refused
        kept = np.ascontiguousarray(embedding, EMBEDDING)
    check_finite(argument, kept)
    largest = float(np.max(np.abs(kept), initial=0.0))
    if largest > _LARGEST:
        # Squares of it are infinite as float32, and with them all answers.
        raise ValueError(
            f"`{argument}` must hold numbers of at most {_LARGEST:g}. Received: "
            f"{largest:g}"
        )
    return kept.tobytes()


def some_names(names: Sequence[str]) -> str:
    """The first names of classes, in a sentence."""
    first = [quoted(name) for name in names[:_MOST_NAMED]]
    more = f" and {len(names) - _MOST_NAMED:,} more" * (len(names) > _MOST_NAMED)
    return ", ".join(first) + more


def some_ids(ids: Sequence[int]) -> str:
    """The first ids of examples, in a sentence."""
    more = f" and {len(ids) - _MOST_NAMED:,} more" * (len(ids) > _MOST_NAMED)
    return ", ".join(map(str, ids[:_MOST_NAMED])) + more
