"""BANKING77 against the authors' files, and files that are not it."""

import collections
import csv
import gzip
import io
import json

import numpy as np
import pytest

from tfmeta.datasets import load
from tfmeta.datasets.text.banking77 import (
    import_banking77,
    load_banking77,
    split_intents,
)

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def rows(reference_data):
    """The rows of both files, header first."""
    folder = reference_data / "text" / "banking77"
    return {
        name: list(
            csv.reader(
                io.StringIO(
                    gzip.decompress((folder / f"{name}.gz").read_bytes()).decode(),
                    newline="",
                )
            )
        )
        for name in ("train.csv", "test.csv")
    }


def write(folder, rows):
    for name, lines in rows.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)


def test_split_is_drawn_from_the_authors_intents(reference_data):
    names = json.loads(
        (reference_data / "text" / "banking77" / "categories.json").read_text()
    )
    order = np.random.default_rng(0).permutation(sorted(names)).tolist()
    assert split_intents() == {
        "train": tuple(sorted(order[:47])),
        "validation": tuple(sorted(order[47:57])),
        "test": tuple(sorted(order[57:])),
    }


def test_every_question_is_where_the_files_have_it(text_dir, rows):
    tables = [load_banking77(split, data_dir=text_dir) for split in SPLITS]
    assert [t.num_classes for t in tables] == [47, 10, 20]
    found = {
        name: list(table.examples_of(c))
        for table in tables
        for c, name in enumerate(table.class_names)
    }
    expected = collections.defaultdict(list)
    for name in ("train.csv", "test.csv"):
        for text, intent in rows[name][1:]:
            expected[intent].append(text.strip())
    assert found == expected
    assert sum(map(len, found.values())) == 10_003 + 3_080
    assert min(map(len, found.values())) == 75


def test_splits_share_no_intent(text_dir):
    origins = [
        set(load("banking77", split=s, data_dir=text_dir).origins) for s in SPLITS
    ]
    assert len(set.union(*origins)) == sum(map(len, origins)) == 77


def test_unpacked_files(rows, tmp_path, text_dir):
    write(tmp_path, rows)
    report = import_banking77(tmp_path, tmp_path / "data")
    assert report.notes == (
        "11 of the texts repeat one of their own class and were kept.",
    )
    ours = load_banking77("test", data_dir=tmp_path / "data")
    theirs = load_banking77("test", data_dir=text_dir)
    assert list(ours.examples) == list(theirs.examples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["test.csv"].pop(), "test.csv .*3,080 questions. Received: 3,079"),
        (lambda r: r["train.csv"].__setitem__(5, ["hm", "gossip"]), "line .*'gossip'"),
        (lambda r: r["train.csv"].__setitem__(0, ["text", "intent"]), "category"),
        (
            lambda r: r.update(
                {
                    name: [[t, "card_arrival" if i != "category" else i] for t, i in c]
                    for name, c in r.items()
                }
            ),
            "all 77 intents",
        ),
    ],
)
def test_other_files_are_refused(rows, tmp_path, change, message):
    changed = {name: list(lines) for name, lines in rows.items()}
    change(changed)
    write(tmp_path, changed)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        import_banking77(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_nothing_imported(tmp_path):
    with pytest.raises(FileNotFoundError, match="import banking77 --from DIR"):
        load_banking77(data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"train.csv or train.csv.gz"):
        import_banking77(tmp_path, tmp_path)
