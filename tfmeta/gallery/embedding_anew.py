"""Making embeddings anew of originals, within transactions of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from tfmeta.gallery import rows
from tfmeta.gallery.records import Original

# Originals that are in memory at once, and their bytes.
_AT_ONCE, _BYTES_AT_ONCE = 64, 64 * 2**20


def shape_after(
    connection: sqlite3.Connection, facts: Mapping[str, str]
) -> tuple[int, ...]:
    """Shape of an embedding once facts are known."""
    if rows.EMBEDDING_SHAPE in facts:
        return rows.checked_shape(facts[rows.EMBEDDING_SHAPE])
    return rows.embedding_shape(connection)


def sizes_to_embed(connection: sqlite3.Connection) -> dict[bytes, int]:
    """Bytes of the originals of all examples, by their digests.

    Raises:
        ValueError: When an example has no original.
    """
    (without,) = connection.execute(
        "SELECT count(*) FROM examples WHERE original IS NULL"
    ).fetchone()
    if without:
        raise ValueError(
            "all examples must have their original, to be embedded anew; those that "
            f"were removed are erased by `purge`. Received: {without:,} without"
        )
    return dict(
        connection.execute(
            "SELECT digest, length(content) FROM originals WHERE digest IN"
            " (SELECT original FROM examples)"
        )
    )


def parts(sizes: Mapping[bytes, int]) -> Iterator[list[bytes]]:
    """Digests of as many originals as can be in memory at once."""
    part: list[bytes] = []
    total = 0
    for digest, size in sizes.items():
        if part and (len(part) == _AT_ONCE or total + size > _BYTES_AT_ONCE):
            yield part
            part, total = [], 0
        part.append(digest)
        total += size
    if part:
        yield part


def originals(
    connection: sqlite3.Connection, digests: Sequence[bytes]
) -> list[Original]:
    """The originals of some digests, in their order; without those that are gone."""
    marks = ", ".join("?" * len(digests))
    found = connection.execute(
        f"SELECT digest, kind, content FROM originals WHERE digest IN ({marks})",
        digests,
    )
    by_digest = {d: Original(kind, content, d) for d, kind, content in found}
    return [by_digest[digest] for digest in digests if digest in by_digest]


def replace_embeddings(
    connection: sqlite3.Connection, number: int, made: Mapping[bytes, bytes]
) -> None:
    """Writes other embeddings of all examples, by the digests of their originals."""
    found = connection.execute("SELECT id, original FROM examples").fetchall()
    strange = [example for example, digest in found if digest not in made]
    if strange:
        raise ValueError(
            "the originals of all examples must be in the gallery. Received: a damaged "
            f"one, without that of example {strange[0]}"
        )
    connection.executemany(
        "UPDATE examples SET embedding = ? WHERE id = ?",
        ((made[digest], example) for example, digest in found),
    )
    connection.execute(
        "UPDATE classes SET changed_in = ? WHERE examples > 0", (number,)
    )
