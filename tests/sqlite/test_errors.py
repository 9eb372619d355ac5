"""What SQLite says is said in errors of Python that name the file."""

import sqlite3

import pytest

from tfmeta.one_writer import FolderInUseError
from tfmeta.sqlite.errors import naming_errors


def test_errors_of_sqlite_without_their_numbers(tmp_path):
    """Python 3.10 tells their words alone."""
    path = tmp_path / "some.sqlite"
    for words, kind in (
        ("database is locked", FolderInUseError),
        ("database table is locked", FolderInUseError),
        ("database or disk is full", OSError),
        ("attempt to write a readonly database", OSError),
        ("disk I/O error", OSError),
        ("unable to open database file", OSError),
        ("database disk image is malformed", ValueError),
        ("file is not a database", ValueError),
        ("Could not decode to UTF-8 column 'name'", ValueError),
    ):
        with pytest.raises(kind) as raised, naming_errors(path, "box"):
            raise sqlite3.OperationalError(words)
        assert str(path) in str(raised.value)
