"""Classes read from a gallery's tables into arrays."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

import numpy as np

from tfmeta.finite_checks import count_not_finite
from tfmeta.gallery import rows
from tfmeta.gallery.records import StoredClasses
from tfmeta.sqlite.errors import DamagedError

# Rows that are in memory beside the arrays.
_AT_ONCE = 4096


def read_classes(connection: sqlite3.Connection, since: int) -> StoredClasses:
    """The classes that changes after one were about, within a transaction.

    In memory is what is returned; once more where examples do not lie in the order of
    their classes.

    Args:
        connection: Of the file.
        since: Number of a change; 0 for all classes that are there.

    Raises:
        DamagedError: When there are rows that no gallery has.
    """
    # The plus leads SQLite to the few that have changed, rather than through all ids.
    which = "changed_in > ? ORDER BY +id" if since else "examples > ? ORDER BY id"
    ids, names, counts = _columns(
        connection.execute(
            f"SELECT id, name, examples FROM classes WHERE {which}", (since,)
        ),
        int,
        str,
        int,
    )
    chosen = (
        " AND class IN (SELECT id FROM classes WHERE changed_in > ?)" if since else ""
    )
    # In the order of the file, the fastest; sorted below where that is another.
    found = connection.execute(
        "SELECT class, id, embedding FROM examples WHERE removed_in IS NULL" + chosen,
        (since,) if since else (),
    )
    of_class, example_ids, embeddings = _examples(
        found, rows.embedding_shape(connection)
    )
    key = of_class, example_ids
    later, earlier = slice(1, None), slice(None, -1)
    if not np.all(
        (of_class[later] > of_class[earlier])
        | (of_class[later] == of_class[earlier])
        & (example_ids[later] > example_ids[earlier])
    ):
        order = np.lexsort(key[::-1])
        of_class, example_ids = of_class[order], example_ids[order]
        embeddings = embeddings[order]
    embeddings.flags.writeable = False
    numbers = np.array(ids, np.int64)
    starts = np.searchsorted(of_class, numbers, side="left")
    ends = np.searchsorted(of_class, numbers, side="right")
    if not np.array_equal(ends - starts, counts) or sum(counts) != len(of_class):
        raise DamagedError("classes of another number of examples than they have")
    return StoredClasses(
        numbers, names, np.append(starts, len(of_class)), embeddings, example_ids
    )


def _columns(found: sqlite3.Cursor, *types: type) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in types]
    while part := found.fetchmany(_AT_ONCE):
        for column, values, kind in zip(
            columns, zip(*part, strict=True), types, strict=True
        ):
            if not all(type(value) is kind for value in values):
                raise DamagedError("values of a type that no gallery has")
            column.extend(values)
    return columns


def _examples(
    found: sqlite3.Cursor, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, id and embedding of rows of examples."""
    size = math.prod(shape) * rows.EMBEDDING.itemsize
    numbers, content = bytearray(), bytearray()
    while part := found.fetchmany(_AT_ONCE):
        classes, ids, blobs = zip(*part, strict=True)
        if not all(type(blob) is bytes and len(blob) == size for blob in blobs):
            raise DamagedError(f"embeddings that are not of shape {shape}")
        try:
            numbers += np.array([classes, ids], np.int64).T.tobytes()
        except (TypeError, ValueError, OverflowError) as error:
            raise DamagedError("examples of no class") from error
        content += b"".join(blobs)
    embeddings = np.frombuffer(content, rows.EMBEDDING).reshape(-1, *shape)
    if not all(
        count_not_finite(embeddings[start : start + _AT_ONCE]) == 0
        for start in range(0, len(embeddings), _AT_ONCE)
    ):
        raise DamagedError("embeddings that are not finite")
    columns = np.frombuffer(numbers, np.int64).reshape(-1, 2).T.copy()
    return columns[0], columns[1], embeddings.astype(np.float32, copy=False)
