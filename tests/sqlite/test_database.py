"""Files of one kind are made and opened, and those of another are refused."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest

from tfmeta.gallery.tables import SCHEMA as GALLERY
from tfmeta.sqlite.database import make_database, open_database
from tfmeta.sqlite.schema import Schema
from tfmeta.sqlite.transactions import Transactions

BOX = Schema(
    what="box",
    application=0x626F7874,
    version=3,
    tables="CREATE TABLE things (name TEXT NOT NULL, content BLOB NOT NULL);",
    most_bytes=2**20,
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "box.sqlite"
    make_database(path, BOX, {"colour": "red"})
    return path


@contextlib.contextmanager
def opened(path):
    file = Transactions(path, BOX, wait=0)
    try:
        yield file
    finally:
        file.close()


def test_a_new_one_holds_its_facts_and_takes_rows(path):
    with opened(path) as file:
        with file.writing() as connection:
            connection.execute("INSERT INTO things VALUES ('cup', x'00')")
        with pytest.raises(ZeroDivisionError), file.writing() as connection:
            connection.execute("INSERT INTO things VALUES ('mug', x'00')")
            raise ZeroDivisionError
    with opened(path) as file, file.reading() as connection:
        assert list(connection.execute("SELECT * FROM facts")) == [("colour", "red")]
        assert list(connection.execute("SELECT name FROM things")) == [("cup",)]
    with pytest.raises(FileExistsError, match="that is not there"):
        make_database(path, BOX, {})


@pytest.mark.parametrize(
    ("own", "other"), [(BOX, GALLERY), (GALLERY, BOX)], ids=["box", "gallery"]
)
def test_a_file_of_another_kind_is_refused(tmp_path, own, other):
    path = tmp_path / "some.sqlite"
    make_database(path, other, {})
    content = path.read_bytes()
    with pytest.raises(ValueError) as refused:
        open_database(path, own, wait=0)
    assert f"{path} must be the file of a {own.what}" in str(refused.value)
    assert path.read_bytes() == content


def test_what_is_no_file_is_refused_by_its_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match="a box's file. Received: no"):
        open_database(tmp_path / "none.sqlite", BOX, wait=0)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 4", "of at most 3; a newer tfmeta wrote it"),
        ("PRAGMA user_version = 2", "whole file of a box"),
        ("CREATE TABLE more (name)", "whole file of a box"),
        ("DROP TABLE facts", "whole file of a box"),
    ],
    ids=["newer", "older", "more", "no facts"],
)
def test_another_version_or_other_tables_are_refused(path, statement, said):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    with pytest.raises(ValueError, match=said) as refused:
        open_database(path, BOX, wait=0)
    assert str(path) in str(refused.value)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a limit of Python 3.11")
def test_values_are_as_large_as_those_of_the_kind(path):
    with opened(path) as file:
        with file.writing() as connection:
            connection.execute(
                "INSERT INTO things VALUES ('cup', zeroblob(?))", (2**20,)
            )
        with (
            pytest.raises(ValueError, match="whole file of a box"),
            file.writing() as connection,
        ):
            connection.execute(
                "INSERT INTO things VALUES ('mug', zeroblob(?))", (2**22,)
            )


def test_it_needs_neither_tensorflow_nor_a_gallery():
    modules = "database, errors, new_folder, schema, transactions, writers_turn"
    code = (
        f"import sys\nfrom tfmeta.sqlite import {modules}\n"
        "sys.exit(bool({'tensorflow', 'keras', 'tfmeta.gallery'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
