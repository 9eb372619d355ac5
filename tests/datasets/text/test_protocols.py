"""All intents in every split, against the authors' files."""

import collections
import csv
import gzip
import json

import numpy as np
import pytest

from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.text.protocols import take_part


def texts_by_class(table):
    return {
        name: list(table.examples_of(c)) for c, name in enumerate(table.class_names)
    }


def test_clinc150_as_its_authors_split_it(text_dir, reference_data):
    path = reference_data / "text" / "clinc150" / "data_full.json.gz"
    content = json.loads(gzip.decompress(path.read_bytes()))
    for split, part, size in (
        ("train", "train", 100),
        ("validation", "val", 20),
        ("test", "test", 30),
    ):
        table = load("clinc150", split=split, data_dir=text_dir, protocol="all_intents")
        expected = collections.defaultdict(list)
        for text, intent in content[part]:
            expected[intent].append(text.strip())
        assert texts_by_class(table) == expected
        assert set(table.class_sizes) == {size} and table.num_classes == 150
    assert table.origins[0] == "clinc150/accept_reservations"
    assert len(table.groups) == 150
    outside = load(
        "clinc150", split="out_of_scope", data_dir=text_dir, protocol="all_intents"
    )
    assert outside.num_examples == 1200


def test_banking77_as_its_authors_split_it(text_dir, reference_data):
    folder = reference_data / "text" / "banking77"
    expected = {}
    for part in ("train", "test"):
        (path,) = folder.glob(f"{part}.csv*")
        expected[part] = collections.defaultdict(list)
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                expected[part][row["category"]].append(row["text"].strip())
    found = {
        split: texts_by_class(
            load("banking77", split=split, data_dir=text_dir, protocol="all_intents")
        )
        for split in ("train", "validation", "test")
    }
    assert found["test"] == expected["test"]
    assert {len(texts) for texts in found["validation"].values()} == {10}
    both = {n: found["train"][n] + found["validation"][n] for n in found["train"]}
    assert both == expected["train"] and len(both) == 77


@pytest.mark.parametrize("name", ["clinc150", "banking77"])
def test_other_protocols_are_refused(name, tmp_path):
    message = rf"`protocol` of {name} must be one of .*'all_intents'.*: 'vinyals'"
    with pytest.raises(ValueError, match=message):
        load(name, data_dir=tmp_path, protocol="vinyals")


def test_a_stretch_of_each_class():
    labels = ["a"] * 3 + ["b"] * 4
    table = ClassTable.from_arrays("toy", np.arange(7), labels)
    part = take_part(table, [1, 0], table.class_sizes - [0, 2])
    assert part.examples.tolist() == [1, 2, 3, 4]
    assert part.offsets.tolist() == [0, 2, 4] and part.class_names == ("a", "b")
    with pytest.raises(ValueError, match="must have an example"):
        take_part(table, [1, 0], [1, 4])
