"""The tables of a gallery's SQLite file, and which folder is that of a gallery."""

from __future__ import annotations

import os
from pathlib import Path

from tfmeta.sqlite.schema import Schema

FORMAT_VERSION = 1
# The file in the folder of a gallery.
DATABASE = "gallery.sqlite"
# The largest original.
MOST_BYTES = 2**28

# A class is present as long as it has examples that were not removed. What is removed
# stays for `undo`, until it is purged. What is long comes last in a row: the rest is
# read without it. The references are checked by `verify`.
SCHEMA = Schema(
    what="gallery",
    application=0x74666D67,  # "tfmg"
    version=FORMAT_VERSION,
    most_bytes=MOST_BYTES,
    tables="""
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    made_at TEXT NOT NULL,
    class INTEGER,
    former_name TEXT,
    undone_by INTEGER
);
CREATE TABLE classes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    examples INTEGER NOT NULL,
    changed_in INTEGER NOT NULL
);
CREATE UNIQUE INDEX present_names ON classes (name) WHERE examples > 0;
CREATE INDEX changed_classes ON classes (changed_in);
CREATE TABLE originals (
    digest BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE examples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class INTEGER NOT NULL REFERENCES classes (id),
    added_in INTEGER NOT NULL,
    removed_in INTEGER,
    original BLOB REFERENCES originals (digest),
    source TEXT NOT NULL,
    embedding BLOB NOT NULL
);
CREATE INDEX examples_of_classes ON examples (class);
CREATE INDEX added_examples ON examples (added_in);
CREATE INDEX removed_examples ON examples (removed_in) WHERE removed_in IS NOT NULL;
""",
)


def is_gallery(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a gallery."""
    return (Path(path) / DATABASE).is_file()
