"""Transactions on an SQLite file: one moment to read, or one change to write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from tfmeta.sqlite.database import is_frozen, open_database
from tfmeta.sqlite.errors import NOT_MADE, naming_errors, read_only
from tfmeta.sqlite.schema import Schema
from tfmeta.sqlite.writers_turn import writers_turn


class Transactions:
    """An open file, for the threads of a process, one after the other.

    Args:
        path: The file.
        schema: The kind that it must be of.
        wait: Seconds to wait for other writers.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is of another kind, damaged, or of a newer version.
        OSError: When it cannot be opened.
    """

    def __init__(self, path: Path, schema: Schema, *, wait: float) -> None:
        self._path = path
        self._what = schema.what
        self._wait = wait
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._closed = False
        self._connection = open_database(path, schema, wait=wait)
        self._opened = os.stat(path)
        self._frozen = self._opened if is_frozen(path) else None

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._closed = True
            # Of a process that was forked, it is the file of the other.
            if os.getpid() == self._process:
                self._connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the file, whatever others write meanwhile."""
        named = naming_errors(self._path, self._what)
        with self._alone(), named, self._begun("BEGIN"):
            yield self._connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The only writer; what is done is done when it ends, or not at all.

        Raises:
            FolderInUseError: When another writes for longer than is waited.
            OSError: When it cannot be written; nothing was changed.
        """
        with self.own_turn(NOT_MADE) as connection, self._begun("BEGIN IMMEDIATE"):
            yield connection

    @contextlib.contextmanager
    def own_turn(self, after: str = "") -> Iterator[sqlite3.Connection]:
        """The only writer, outside of a transaction.

        Args:
            after: What an error is to say of a change that could not be made.
        """
        with self._alone():
            if self._frozen is not None:
                raise read_only(self._path, self._what)
            turn = writers_turn(self._path, wait=self._wait)
            with naming_errors(self._path, self._what, after), turn:
                yield self._connection

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise ValueError(f"{self._path} must be open. Received: a closed one")
            if os.getpid() != self._process:
                raise RuntimeError(
                    f"{self._path} must be opened again in a process that was forked. "
                    f"Received: that of process {self._process}"
                )
            self._check_same_file()
            self._check_frozen()
            yield

    def _check_same_file(self) -> None:
        """SQLite would go on with a file that nobody finds any more."""
        try:
            there = os.path.samestat(os.stat(self._path), self._opened)
        except FileNotFoundError:
            there = False
        if not there:
            raise OSError(
                f"{self._path} must be the file that was opened. Received: another, or "
                "none, as its folder was moved or replaced; nothing was changed, open "
                "it again"
            )

    def _check_frozen(self) -> None:
        if self._frozen is None:
            return
        now = os.stat(self._path)
        if (
            not is_frozen(self._path)
            or not os.path.samestat(now, self._frozen)
            or now.st_mtime_ns != self._frozen.st_mtime_ns
        ):
            raise OSError(
                f"{self._path} must stay as it is while it is read from a disk that "
                "can only be read. Received: a change; open it again"
            )

    @contextlib.contextmanager
    def _begun(self, begin: str) -> Iterator[None]:
        try:
            self._connection.execute(begin)
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
