"""What a gallery holds, as lines of text, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfmeta.cli.gallery_facts import GalleryFacts
from tfmeta.cli.gallery_words import check_names, count, threshold_words
from tfmeta.gallery.class_index import index_recall
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import FORMAT_VERSION
from tfmeta.json_files import json_text
from tfmeta.printable import printable


@dataclasses.dataclass(frozen=True)
class Listing:
    """A table, and what is said beside it.

    Attributes:
        name: What the rows are.
        columns: Names of the columns.
        rows: The rows.
        facts: What JSON says beside them.
        words: The same in sentences.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    facts: Mapping[str, Any]
    words: Sequence[str] = ()


def list_classes(store: GalleryStore, gallery: Path) -> Listing:
    """The classes, and what is known of the gallery."""
    facts, sizes = GalleryFacts.of(store), store.class_sizes()
    total = sum(sizes.values())
    words = [
        f"{gallery}: {count(len(sizes), 'class')} with {count(total, 'example')}, "
        f"{facts.kind}",
        f"learner: {facts.learner}, encoder {facts.encoder}",
        f"threshold: {threshold_words(facts, sizes)}",
        f"originals: {'kept, to be embedded anew' if facts.keep_originals else 'no'}",
        f"format version: {FORMAT_VERSION}",
    ]
    recall = index_recall(gallery)
    if recall is not None:
        shares = " and ".join(f"{s:.1%} of the best {n}" for n, s in recall.items())
        words.append(f"index: finds {shares}, on a sample")
    if facts.invert:
        words.append("pictures are inverted, enrolled ones and queries")
    return Listing(
        "classes",
        ("class", "examples"),
        list(sizes.items()),
        {
            "gallery": str(gallery),
            "format_version": FORMAT_VERSION,
            "of": facts.kind,
            "learner": facts.learner,
            "encoder": facts.encoder,
            "threshold": facts.threshold,
            "index_recall": recall and {str(n): s for n, s in recall.items()},
            "invert": facts.invert,
            "keep_originals": facts.keep_originals,
            "examples": total,
        },
        words,
    )


def list_examples(store: GalleryStore, gallery: Path, name: str) -> Listing:
    """The examples of a class.

    Raises:
        ValueError: When there is no such class.
    """
    check_names([name], store.class_sizes(), gallery)
    rows = [(one.id, one.source, one.has_original) for one in store.examples_of(name)]
    return Listing(
        "examples",
        ("id", "source", "has_original"),
        rows,
        {"gallery": str(gallery), "class": name},
    )


def list_changes(store: GalleryStore, gallery: Path) -> Listing:
    """The changes, the first one first."""
    rows = [(c.number, c.made_at, c.kind, c.what, c.undone) for c in store.changes()]
    return Listing(
        "changes",
        ("number", "made_at", "kind", "what", "undone"),
        rows,
        {"gallery": str(gallery)},
    )


def text_lines(listing: Listing) -> Iterator[str]:
    """A line for each row, between tabs; the words follow after an empty line."""
    for row in listing.rows:
        yield "\t".join(printable(_word(value)) for value in row)
    if listing.words:
        yield ""
        yield from map(_line, listing.words)


def csv_lines(listing: Listing) -> Iterator[str]:
    """A header and the rows, quoted as RFC 4180 says."""
    for values in (listing.columns, *listing.rows):
        row = io.StringIO()
        csv.writer(row, lineterminator="\r\n").writerow(map(_word, values))
        yield row.getvalue().removesuffix("\r\n")


def json_lines(listing: Listing) -> Iterator[str]:
    """One JSON document, a row a line."""
    yield f"{json_text(dict(listing.facts), 'a listing').rstrip()[:-1].rstrip()},"
    yield f'"{listing.name}": ['
    last = len(listing.rows) - 1
    for number, row in enumerate(listing.rows):
        values = dict(zip(listing.columns, row, strict=True))
        yield json_text(values, "a listing") + ("" if number == last else ",")
    yield "]}"


LISTED: Mapping[str, Callable[[Listing], Iterator[str]]] = {
    "text": text_lines,
    "csv": csv_lines,
    "json": json_lines,
}


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _line(words: str) -> str:
    from tfmeta.printable import one_line

    return one_line(words)
