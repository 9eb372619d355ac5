"""The SQLite file of a task library: a row for each task, its numbers in one value."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfmeta.printable import short_name
from tfmeta.sqlite.database import make_database
from tfmeta.sqlite.schema import Schema
from tfmeta.sqlite.transactions import Transactions

# The file in the folder of a library.
DATABASE = "tasks.sqlite"
CHANGES = "changes"
# How good candidates are on a task, by name among its numbers; -1 for unknown.
SCORES = "scores"

# Of a name in a sentence.
_SHORT = 60

SCHEMA = Schema(
    what="task library",
    application=0x74666D74,  # "tfmt"
    version=1,
    most_bytes=2**28,
    tables="""
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    task_group TEXT NOT NULL,
    classes TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    numbers BLOB NOT NULL
);
""",
)


@dataclasses.dataclass(frozen=True)
class Entries:
    """Tasks of a library.

    Attributes:
        names: Of each, all different.
        groups: Of each what it is of, such as an alphabet; empty where unknown.
        classes: Of each the names of its classes, in the order of its ways.
        numbers: Float32 arrays with a leading task axis, by name.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    numbers: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.names)


class LibraryFile:
    """The rows of a library, each with a checksum.

    Args:
        path: The file.
        shapes: Of the numbers of one task, by name, in the order in which they stand.
        wait: Seconds to wait for other writers.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is no library, damaged, or of a newer version.
        OSError: When it cannot be opened.
    """

    def __init__(
        self, path: Path, shapes: Mapping[str, tuple[int, ...]], *, wait: float = 30.0
    ) -> None:
        self.path, self.shapes = path, dict(shapes)
        self._file = Transactions(path, SCHEMA, wait=wait)

    @staticmethod
    def make(path: Path, facts: Mapping[str, str]) -> None:
        """Writes a new one without tasks.

        Raises:
            FileExistsError: When something is there.
            OSError: When it cannot be written.
        """
        make_database(path, SCHEMA, {**facts, CHANGES: "0"})

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def facts(self) -> dict[str, str]:
        """What is known of the library, by name."""
        with self._file.reading() as connection:
            return dict(connection.execute("SELECT name, value FROM facts"))

    def add(self, entries: Entries) -> None:
        """Adds tasks, all or none.

        Raises:
            ValueError: When a name is there already; nothing was added.
        """
        with self._file.writing() as connection:
            taken = dict(connection.execute("SELECT name, id FROM tasks"))
            known = [name for name in entries.names if name in taken]
            if known:
                raise ValueError(
                    "`names` must be of tasks that are not in the library. Received: "
                    f"{quoted(known[0])}, which is; nothing was added"
                )
            connection.executemany(
                "INSERT INTO tasks (name, task_group, classes, checksum, numbers)"
                " VALUES (?, ?, ?, ?, ?)",
                self._rows(entries),
            )
            _count_change(connection)

    def replace(self, entries: Entries, facts: Mapping[str, str], changes: str) -> None:
        """Writes all tasks anew, and what is known, in one change.

        Args:
            entries: Of tasks that are there; others are left out.
            facts: What changes of what is known.
            changes: The number of changes that `entries` were read at.

        Raises:
            ValueError: When others have changed the library since.
        """
        with self._file.writing() as connection:
            (now,) = connection.execute(
                "SELECT value FROM facts WHERE name = ?", (CHANGES,)
            ).fetchone()
            if now != changes:
                raise ValueError(
                    f"{self.path} must not be changed meanwhile. Received: a change by "
                    "somebody else; nothing was written, try again"
                )
            connection.execute("DELETE FROM tasks")
            connection.executemany(
                "INSERT INTO tasks (name, task_group, classes, checksum, numbers)"
                " VALUES (?, ?, ?, ?, ?)",
                self._rows(entries),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items()
            )
            _count_change(connection)

    def remove(self, names: Sequence[str]) -> None:
        """Removes tasks, all or none, whether their rows are sound or not.

        Raises:
            KeyError: When one is not there; nothing was removed.
        """
        with self._file.writing() as connection:
            for name in names:
                found = connection.execute("DELETE FROM tasks WHERE name = ?", (name,))
                if not found.rowcount:
                    raise KeyError(
                        "`name` must be of a task in the library. Received: "
                        f"{quoted(name)}; nothing was removed"
                    )
            _count_change(connection)

    def read(self) -> tuple[Entries, list[str], dict[str, str]]:
        """All sound tasks in the order in which they were added.

        Returns:
            The tasks; the names of those whose rows are damaged, which are left out;
            and what is known of the library, of the same moment.
        """
        sound, damaged = [], []
        with self._file.reading() as connection:
            facts = dict(connection.execute("SELECT name, value FROM facts"))
            for name, group, classes, checksum, numbers in connection.execute(
                "SELECT name, task_group, classes, checksum, numbers FROM tasks"
                " ORDER BY id"
            ):
                found = self._numbers(name, group, classes, checksum, numbers)
                if found is None:
                    damaged.append(str(name))
                else:
                    sound.append((name, group, tuple(json.loads(classes)), found))
        names, groups, of_classes, flat = (
            zip(*sound, strict=True) if sound else [()] * 4
        )
        together = np.stack(flat) if flat else np.zeros((0, self._size), np.float32)
        return (
            Entries(names, groups, of_classes, self._taken_apart(together)),
            (damaged),
            facts,
        )

    def changes(self) -> str:
        """How many changes were made, a number that only grows."""
        return self.facts()[CHANGES]

    @property
    def _size(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def _rows(self, entries: Entries) -> list[tuple[str, str, str, int, bytes]]:
        flat = np.concatenate(
            [
                np.reshape(entries.numbers[name], (len(entries), -1))
                for name in self.shapes
            ],
            axis=1,
        ).astype("<f4")
        rows = []
        for number, name in enumerate(entries.names):
            group = entries.groups[number]
            classes = json.dumps(entries.classes[number])
            numbers = flat[number].tobytes()
            checksum = _checksum(name, group, classes, numbers)
            rows.append((name, group, classes, checksum, numbers))
        return rows

    def _numbers(self, *row: object) -> np.ndarray | None:
        """The numbers of a row, `None` where it is not as it was written."""
        name, group, classes, checksum, numbers = row
        if not (
            isinstance(name, str)
            and isinstance(group, str)
            and isinstance(classes, str)
            and isinstance(numbers, bytes)
            and len(numbers) == 4 * self._size
            and _checksum(name, group, classes, numbers) == checksum
        ):
            return None
        found = np.frombuffer(numbers, "<f4")
        return found if np.isfinite(found).all() else None

    def _taken_apart(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        found, place = {}, 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            part = flat[:, place : place + size]
            found[name] = np.reshape(part, (len(flat), *shape))
            place += size
        return found


def quoted(name: str) -> str:
    """A name in a sentence: in quotes, not too long, escaped where it is not seen."""
    return f"'{short_name(name, _SHORT)}'"


def _checksum(name: str, group: str, classes: str, numbers: bytes) -> int:
    said = json.dumps([name, group, classes]).encode()
    return zlib.crc32(numbers, zlib.crc32(said))


def _count_change(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = ?",
        (CHANGES,),
    )
