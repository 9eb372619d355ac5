"""Classes and their examples on disk, by changes that are whole or not made."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfmeta.finite_checks import check_finite
from tfmeta.gallery import rows
from tfmeta.gallery.database import make_database, naming_errors, open_database
from tfmeta.gallery.records import (
    Change,
    NewExample,
    Original,
    StoredClass,
    StoredExample,
)
from tfmeta.printable import one_line

# Changes that `undo` passes over: what they did holds for all that is kept.
_LASTING = ("undo", "re-embed", "settings", "purge")
# Originals that are in memory at once.
_AT_ONCE = 64


class GalleryStore:
    """Enrolled examples in an SQLite file.

    Every method that changes something returns when the change is on the disk; until
    then nothing of it is there. Methods may be called by several threads, and several
    processes may have the same file open.

    Args:
        path: The file.
        wait: Seconds to wait for other writers before `FolderInUseError`.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is no gallery, damaged, or of a newer version.

    Example:

    ```python
    store = GalleryStore("cups/gallery.sqlite")
    store.enrol({"cup": [NewExample(embedding)]})
    version, changed = store.changed_since(0)
    ```
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float = 30.0) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._connection = open_database(self.path, wait=wait)

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], facts: Mapping[str, str]
    ) -> GalleryStore:
        """Writes a new one with no class.

        Args:
            path: The file, which is not there.
            facts: What is to be known of the gallery, by name.
        """
        make_database(Path(path), dict(facts))
        return cls(path)

    def close(self) -> None:
        """Closes the file; a closed store is of no use."""
        with self._lock:
            self._connection.close()

    def facts(self) -> dict[str, str]:
        """What is known of the gallery, by name."""
        with self._reading() as connection:
            return rows.facts(connection)

    def set_facts(
        self,
        facts: Mapping[str, str],
        what: str,
        *,
        expected: Mapping[str, str] | None = None,
    ) -> Change:
        """Changes what is known of the gallery; not undone by `undo`.

        Args:
            facts: Facts by name.
            what: What that does, in words.
            expected: As of `enrol`.
        """
        with self._writing() as connection:
            rows.check_facts(connection, expected or {})
            number = rows.add_change(connection, "settings", what)
            for name, value in facts.items():
                rows.set_fact(connection, name, value)
            return rows.read_change(connection, number)

    @property
    def version(self) -> int:
        """Number of the latest change, 0 for none."""
        with self._reading() as connection:
            return rows.version(connection)

    def changed_since(self, version: int) -> tuple[int, list[StoredClass]]:
        """The classes that changes after `version` were about, as they are now.

        All at one moment: never half of a change.

        Args:
            version: Number of a change; 0 for all classes.

        Returns:
            The number of the latest change, and the classes by their ids.
        """
        return self.read_since(version)[1:]

    def read_since(self, version: int) -> tuple[dict[str, str], int, list[StoredClass]]:
        """The facts of the same moment, and what `changed_since` gives."""
        with self._reading() as connection:
            classes = rows.classes_since(connection, version)
            return rows.facts(connection), rows.version(connection), classes

    def class_sizes(self) -> dict[str, int]:
        """Number of examples by the names of all classes, in order of enrolment."""
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT name, examples FROM classes WHERE examples > 0 ORDER BY id"
                )
            )

    def examples_of(self, name: str) -> list[StoredExample]:
        """The examples of a class.

        Raises:
            KeyError: When there is no such class.
        """
        with self._reading() as connection:
            number = rows.class_id(connection, name)
            found = connection.execute(
                "SELECT id, source, original IS NOT NULL FROM examples"
                " WHERE class = ? AND removed_in IS NULL ORDER BY id",
                (number,),
            )
            return [StoredExample(i, name, s, bool(kept)) for i, s, kept in found]

    def changes(self) -> list[Change]:
        """All changes, the first one first."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT number, kind, what, made_at, undone_by IS NOT NULL"
                " FROM changes ORDER BY number"
            )
            return [rows.as_change(row) for row in found]

    def enrol(
        self,
        classes: Mapping[str, Sequence[NewExample]],
        *,
        expected: Mapping[str, str] | None = None,
    ) -> Change:
        """Adds classes, or examples to classes that are there, in one change.

        Args:
            classes: New examples by the name of their class, at least one each.
            expected: Facts that the embeddings depend on, as of their encoder.

        Raises:
            FactsChangedError: When one of them is another by now; nothing is changed.
            ValueError: When embeddings have another shape than the gallery's, or are
                not finite.
            FolderInUseError: When another process writes for longer than is waited.
            OSError: When the disk is full; nothing is changed.
        """
        total = sum(map(len, classes.values()))
        if not classes or not all(map(len, classes.values())):
            raise ValueError(
                "`classes` must hold at least one example of each class. Received: "
                f"{total} of {len(classes)} classes"
            )
        what = f"{total:,} example{'s' * (total != 1)} of {rows.some_names(classes)}"
        with self._writing() as connection:
            rows.check_facts(connection, expected or {})
            shape = rows.embedding_shape(connection)
            number = rows.add_change(connection, "enrol", what)
            for name, examples in classes.items():
                found = connection.execute(
                    "SELECT id FROM classes WHERE name = ? AND examples > 0", (name,)
                ).fetchone()
                if found is None:
                    found = connection.execute(
                        "INSERT INTO classes (name, examples, changed_in)"
                        " VALUES (?, 0, ?) RETURNING id",
                        (name, number),
                    ).fetchone()
                for example in examples:
                    rows.insert_example(connection, found[0], number, example, shape)
                rows.recount(connection, number, [found[0]])
            return rows.read_change(connection, number)

    def forget(self, name: str, example_ids: Sequence[int] | None = None) -> Change:
        """Removes a class, or some of its examples.

        Args:
            name: The class.
            example_ids: Ids of its examples; `None` for all. A class without examples
                is no longer there.

        Raises:
            KeyError: When there is no such class, or example of it.
        """
        with self._writing() as connection:
            class_id = rows.class_id(connection, name)
            present = rows.present_ids(connection, class_id)
            gone = present if example_ids is None else list(example_ids)
            missing = sorted(set(gone) - set(present))
            if missing:
                raise KeyError(
                    f"example ids of {one_line(name)!r} must be among "
                    f"{rows.some_ids(present)}. Received: {rows.some_ids(missing)}"
                )
            what = f"{len(gone):,} of {len(present):,} examples of {one_line(name)!r}"
            number = rows.add_change(connection, "forget", what)
            connection.executemany(
                "UPDATE examples SET removed_in = ? WHERE id = ?",
                [(number, one) for one in gone],
            )
            rows.recount(connection, number, [class_id])
            return rows.read_change(connection, number)

    def rename(self, name: str, to: str) -> Change:
        """Gives a class another name.

        Raises:
            KeyError: When there is no such class.
            ValueError: When there is one named `to`.
        """
        with self._writing() as connection:
            class_id = rows.class_id(connection, name)
            taken = connection.execute(
                "SELECT 1 FROM classes WHERE name = ? AND examples > 0", (to,)
            ).fetchone()
            if taken:
                raise ValueError(
                    "`to` must be a name that no class has. Received: "
                    f"{one_line(to)!r}, which another has"
                )
            what = f"{one_line(name)!r} is now {one_line(to)!r}"
            number = rows.add_change(connection, "rename", what, class_id, name)
            connection.execute(
                "UPDATE classes SET name = ?, changed_in = ? WHERE id = ?",
                (to, number, class_id),
            )
            return rows.read_change(connection, number)

    def undo(self) -> Change:
        """Undoes the latest change that is not yet undone; again, the one before.

        Returns:
            The change that was undone.

        Raises:
            ValueError: When there is none.
        """
        with self._writing() as connection:
            marks = ", ".join("?" * len(_LASTING))
            found = connection.execute(
                "SELECT number, kind, what, class, former_name FROM changes"
                f" WHERE undone_by IS NULL AND kind NOT IN ({marks})"
                " ORDER BY number DESC LIMIT 1",
                _LASTING,
            ).fetchone()
            if found is None:
                raise ValueError(
                    f"{self.path} must hold a change that can be undone. Received: none"
                )
            undone, kind, what, class_id, former_name = found
            number = rows.add_change(connection, "undo", f"{kind}: {what}")
            if kind == "rename":
                connection.execute(
                    "UPDATE classes SET name = ?, changed_in = ? WHERE id = ?",
                    (former_name, number, class_id),
                )
            else:
                column = "added_in" if kind == "enrol" else "removed_in"
                new = number if kind == "enrol" else None
                classes = connection.execute(
                    f"SELECT DISTINCT class FROM examples WHERE {column} = ?", (undone,)
                ).fetchall()
                connection.execute(
                    f"UPDATE examples SET removed_in = ? WHERE {column} = ?",
                    (new, undone),
                )
                rows.recount(connection, number, [one for (one,) in classes])
            connection.execute(
                "UPDATE changes SET undone_by = ? WHERE number = ?", (number, undone)
            )
            return rows.read_change(connection, undone)

    def purge(self) -> Change:
        """Erases what was removed for good; changes before can no longer be undone."""
        with self._writing() as connection:
            count = connection.execute(
                "DELETE FROM examples WHERE removed_in IS NOT NULL"
            ).rowcount
            # Whoever has read a class before learns by its row that it is gone.
            connection.execute("UPDATE classes SET name = '' WHERE examples = 0")
            connection.execute(
                "DELETE FROM originals WHERE digest NOT IN"
                " (SELECT original FROM examples WHERE original IS NOT NULL)"
            )
            # Their words name what was removed.
            connection.execute("DELETE FROM changes")
            number = rows.add_change(connection, "purge", f"{count:,} removed examples")
            change = rows.read_change(connection, number)
        with self._lock, naming_errors(self.path):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return change

    def re_embed(
        self,
        embed: Callable[[list[Original]], np.ndarray],
        facts: Mapping[str, str],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Change:
        """Makes all embeddings anew of the originals, those of what can be undone too.

        Args:
            embed: From originals to float32 `(originals, *embedding)`.
            facts: What is known of the gallery from then on.
            on_progress: Called with the number of originals embedded, and of all.

        Raises:
            ValueError: When an original was not kept; counts them.
        """
        made: dict[bytes, np.ndarray] = {}
        while True:
            with self._reading() as connection:
                missing = rows.digests_to_embed(connection) - made.keys()
            total = len(made) + len(missing)
            # Nobody waits while it is computed; what was enrolled meanwhile comes next.
            for part in rows.parts(sorted(missing), _AT_ONCE):
                with self._reading() as connection:
                    originals = rows.originals(connection, part)
                embeddings = embed(originals)
                check_finite("embed", embeddings)
                made.update(zip((o.digest for o in originals), embeddings, strict=True))
                if on_progress is not None:
                    on_progress(len(made), total)
            with self._writing() as connection:
                if rows.digests_to_embed(connection) - made.keys():
                    continue
                what = f"{len(made):,} originals, by another encoder"
                number = rows.add_change(connection, "re-embed", what)
                connection.executemany(
                    "UPDATE examples SET embedding = ? WHERE original = ?",
                    ((rows.as_blob(e), digest) for digest, e in made.items()),
                )
                connection.execute(
                    "UPDATE classes SET changed_in = ? WHERE examples > 0", (number,)
                )
                for name, value in facts.items():
                    rows.set_fact(connection, name, value)
                return rows.read_change(connection, number)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the file, whatever others write meanwhile."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The only writer; what is done is done when it ends, or not at all."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, naming_errors(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
