"""Classes and their examples on disk, by changes that are whole or not made."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfmeta.gallery import embedding_anew, rows
from tfmeta.gallery.class_names import class_name, quoted
from tfmeta.gallery.erasing import (
    AFTER_ERASING,
    erase_removed,
    give_back_pages,
    remove_index,
)
from tfmeta.gallery.reading import read_classes
from tfmeta.gallery.records import (
    Change,
    NewExample,
    Original,
    StoredClasses,
    StoredExample,
)
from tfmeta.gallery.tables import SCHEMA
from tfmeta.gallery.undoing import former_facts, undo_latest
from tfmeta.gallery.verifying import verify_rows
from tfmeta.sqlite.database import make_database
from tfmeta.sqlite.transactions import Transactions


class GalleryStore:
    """Enrolled examples in an SQLite file.

    Every method that changes something returns when the change is on the disk; until
    then nothing of it is there. Methods may be called by several threads, and several
    processes may have the same file open; a process that was forked opens its own. On
    a disk that can only be read, a gallery that was closed can be read.

    Names are kept in the composed form of Unicode (NFC).

    Args:
        path: The file.
        wait: Seconds to wait for other writers before `FolderInUseError`.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is no gallery, damaged, or of a newer version.
        OSError: When it cannot be opened.

    Example:

    ```python
    with GalleryStore("cups/gallery.sqlite") as store:
        store.enrol({"cup": [NewExample(embedding)]})
        version, changed = store.changed_since(0)
    ```
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float = 30.0) -> None:
        self.path = Path(path)
        self._file = Transactions(self.path, SCHEMA, wait=wait)

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], facts: Mapping[str, str]
    ) -> GalleryStore:
        """Writes a new one with no class.

        Args:
            path: The file, which is not there.
            facts: What is to be known of the gallery, by name; `"embedding_shape"` as a
                JSON list.

        Raises:
            FileExistsError: When something is there.
            ValueError: When there is no shape of an embedding among the facts.
            OSError: When it cannot be written.
        """
        rows.checked_shape(facts.get(rows.EMBEDDING_SHAPE, "null"))
        make_database(Path(path), SCHEMA, dict(facts))
        return cls(path)

    def __enter__(self) -> GalleryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; a closed store is of no use."""
        self._file.close()

    def facts(self) -> dict[str, str]:
        """What is known of the gallery, by name."""
        with self._file.reading() as connection:
            return rows.facts(connection)

    def set_facts(
        self,
        facts: Mapping[str, str],
        what: str,
        *,
        expected: Mapping[str, str] | None = None,
    ) -> Change:
        """Changes what is known of the gallery.

        Args:
            facts: Facts by name.
            what: What that does, in words.
            expected: As of `enrol`.
        """
        with self._file.writing() as connection:
            rows.check_facts(connection, expected or {})
            before = former_facts(connection, facts)
            number = rows.add_change(connection, "settings", what, former_name=before)
            for name, value in facts.items():
                rows.set_fact(connection, name, value)
            return rows.read_change(connection, number)

    @property
    def version(self) -> int:
        """Number of the latest change, 0 for none."""
        with self._file.reading() as connection:
            return rows.version(connection)

    def changed_since(self, version: int) -> tuple[int, StoredClasses]:
        """The classes that changes after `version` were about, as they are now.

        All at one moment: never half of a change.

        Args:
            version: Number of a change; 0 for all classes.

        Returns:
            The number of the latest change, and the classes by their ids; those
            without examples are gone.
        """
        return self.read_since(version)[1:]

    def read_since(self, version: int) -> tuple[dict[str, str], int, StoredClasses]:
        """The facts of the same moment, and what `changed_since` gives."""
        with self._file.reading() as connection:
            classes = read_classes(connection, version)
            return rows.facts(connection), rows.version(connection), classes

    def class_sizes(self) -> dict[str, int]:
        """Number of examples by the names of all classes, in order of enrolment."""
        with self._file.reading() as connection:
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
        name = class_name("name", name)
        with self._file.reading() as connection:
            number = rows.class_id(connection, name)
            found = connection.execute(
                "SELECT id, source, original IS NOT NULL FROM examples"
                " WHERE class = ? AND removed_in IS NULL ORDER BY id",
                (number,),
            )
            return [StoredExample(i, name, s, bool(kept)) for i, s, kept in found]

    def digests_of(self, name: str) -> set[bytes]:
        """Digests of the kept originals of a class; none where there is no class."""
        name = class_name("name", name)
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT e.original FROM classes c JOIN examples e ON e.class = c.id"
                " WHERE c.name = ? AND c.examples > 0 AND e.removed_in IS NULL"
                " AND e.original IS NOT NULL",
                (name,),
            )
            return {digest for (digest,) in found}

    def changes(self) -> list[Change]:
        """All changes, the first one first."""
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT number, kind, what, made_at, undone_by IS NOT NULL"
                " FROM changes ORDER BY number"
            )
            return [rows.as_change(row) for row in found]

    def verify(self) -> dict[str, int]:
        """Reads all of the gallery, and checks it.

        Returns:
            The number of `"classes"`, of their `"examples"`, of what was `"removed"`
            and can be undone, and of `"originals"`.

        Raises:
            ValueError: When something is not as it was written; says what.
        """
        with self._file.reading() as connection:
            return verify_rows(connection)

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
            ValueError: When a name is blank, too long or no Unicode, or two are the
                same in composed form; or when embeddings have another shape than the
                gallery's, or are not finite.
            FolderInUseError: When another process writes for longer than is waited.
            OSError: When the disk is full; nothing is changed.
        """
        total = sum(map(len, classes.values()))
        if not classes or not all(map(len, classes.values())):
            raise ValueError(
                "`classes` must hold at least one example of each class. Received: "
                f"{total} of {len(classes)} classes"
            )
        named = {class_name("classes", n): examples for n, examples in classes.items()}
        if len(named) < len(classes):
            raise ValueError(
                "`classes` must have names that differ in the composed form of Unicode "
                f"(NFC). Received: {len(classes) - len(named)} that do not"
            )
        names = rows.some_names(list(named))
        what = f"{total:,} example{'s' * (total != 1)} of {names}"
        with self._file.writing() as connection:
            rows.check_facts(connection, expected or {})
            shape = rows.embedding_shape(connection)
            number = rows.add_change(connection, "enrol", what)
            for name, examples in named.items():
                class_id = rows.find_class(connection, name)
                if class_id is None:
                    class_id = rows.insert_class(connection, name)
                rows.insert_examples(connection, class_id, number, examples, shape)
            return rows.read_change(connection, number)

    def forget(self, name: str, example_ids: Sequence[int] | None = None) -> Change:
        """Removes a class, or some of its examples.

        Args:
            name: The class.
            example_ids: Ids of its examples, at least one; `None` for all. A class
                without examples is no longer there.

        Raises:
            KeyError: When there is no such class, or example of it.
        """
        name = class_name("name", name)
        with self._file.writing() as connection:
            class_id = rows.class_id(connection, name)
            present = rows.present_ids(connection, class_id)
            asked = present if example_ids is None else example_ids
            gone = sorted({operator.index(one) for one in asked})
            if not gone:
                raise ValueError(
                    "`example_ids` must hold at least one, or be None for all. "
                    "Received: none"
                )
            missing = sorted(set(gone) - set(present))
            if missing:
                raise KeyError(
                    f"`example_ids` of {quoted(name)} must be among "
                    f"{rows.some_ids(present)}. Received: {rows.some_ids(missing)}"
                )
            what = f"{len(gone):,} of {len(present):,} examples of {quoted(name)}"
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
            ValueError: When there is one named `to`, or that is no name.
        """
        name, to = class_name("name", name), class_name("to", to)
        with self._file.writing() as connection:
            class_id = rows.class_id(connection, name)
            if rows.find_class(connection, to) is not None:
                raise ValueError(
                    "`to` must be a name that no class has. Received: "
                    f"{quoted(to)}, which {'it' if to == name else 'another'} has"
                )
            what = f"{quoted(name)} is now {quoted(to)}"
            number = rows.add_change(connection, "rename", what, class_id, name)
            rows.name_class(connection, number, class_id, to)
            return rows.read_change(connection, number)

    def undo(self, *, past: bool = False) -> Change:
        """Undoes the latest change that is not yet undone; again, the one before.

        Args:
            past: Whether to pass over changes that cannot be undone, as `re_embed`.

        Returns:
            The change that was undone.

        Raises:
            ValueError: When there is none, or the latest cannot be undone.
        """
        with self._file.writing() as connection:
            return rows.read_change(connection, undo_latest(connection, past=past))

    def purge(self) -> Change:
        """Erases what was removed for good; changes before can no longer be undone.

        When it returns, no byte of it is left in the gallery's files, which become
        smaller. That needs some megabytes of room on the disk.

        Raises:
            FolderInUseError: When others write for longer than is waited, or read.
            OSError: When there is no room. Where the error says that the change is
                made, bytes of what was removed may be left in the files until the next
                `purge`.
        """
        with self._file.writing() as connection:
            remove_index(self.path.parent)
            number = erase_removed(connection)
            change = rows.read_change(connection, number)
        # In turns of their own, so that others may write in between.
        left = True
        while left:
            with self._file.own_turn(AFTER_ERASING) as connection:
                left = give_back_pages(connection)
        return change

    def re_embed(
        self,
        embed: Callable[[list[Original]], np.ndarray],
        facts: Mapping[str, str],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Change:
        """Makes all embeddings anew of the originals, those of what can be undone too.

        Nobody waits while they are computed. What is enrolled meanwhile is embedded as
        well, before the change is made.

        Args:
            embed: From originals to float32 `(originals, *embedding)`.
            facts: What is known of the gallery from then on; the shape of an embedding,
                where it becomes another.
            on_progress: Called with the number of originals embedded, and of all.

        Raises:
            ValueError: When an original was not kept; counts them. When embeddings are
                of another shape than the facts say, or not finite.
        """
        made: dict[bytes, bytes] = {}
        while True:
            with self._file.reading() as connection:
                shape = embedding_anew.shape_after(connection, facts)
                sizes = embedding_anew.sizes_to_embed(connection)
            missing = {one: sizes[one] for one in sizes.keys() - made.keys()}
            total = len(made) + len(missing)
            for part in embedding_anew.parts(missing):
                with self._file.reading() as connection:
                    originals = embedding_anew.originals(connection, part)
                embeddings = embed(originals) if originals else ()
                if len(embeddings) != len(originals):
                    raise ValueError(
                        f"`embed` must return an embedding of each of {len(originals)} "
                        f"originals. Received: {len(embeddings)}"
                    )
                for original, embedding in zip(originals, embeddings, strict=True):
                    made[original.digest] = rows.as_blob("embed", embedding, shape)
                if on_progress is not None:
                    on_progress(len(made), total)
            with self._file.writing() as connection:
                if embedding_anew.sizes_to_embed(connection).keys() - made.keys():
                    continue
                what = f"{len(made):,} originals, by another encoder"
                number = rows.add_change(connection, "re-embed", what)
                embedding_anew.replace_embeddings(connection, number, made)
                for name, value in facts.items():
                    rows.set_fact(connection, name, value)
                return rows.read_change(connection, number)
