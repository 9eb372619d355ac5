"""The fingerprint of a table says what it holds, not where it lies."""

import dataclasses

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.table_folder import open_table, save_table
from tfmeta.evaluation.fingerprint import fingerprint

TEXTS = ["ein Satz", "zwei", "drei Sätze", "字"]


def texts(*changed):
    return ClassTable.from_arrays("texts", list(changed or TEXTS), list("abab"))


def test_of_equal_texts_is_equal():
    # The bytes of an object array are the addresses of its objects.
    others = ["".join(list(text)) for text in TEXTS]
    assert others == TEXTS and others[0] is not TEXTS[0]
    assert fingerprint(texts(*others)) == fingerprint(texts())


@pytest.mark.parametrize(
    "changed", [["ein satz", *TEXTS[1:]], ["ein Satzz", "wei", *TEXTS[2:]]]
)
def test_other_texts_have_another(changed):
    assert fingerprint(texts(*changed)) != fingerprint(texts())


def test_of_a_table_on_disk_is_that_of_the_one_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (6, 4, 4, 3), np.uint8)
    table = ClassTable.from_arrays("toy", pictures, list("aabbcc"))
    save_table(table, tmp_path / "t")
    mapped = open_table(tmp_path / "t", memory_map=True)
    assert fingerprint(mapped) == fingerprint(table)
    assert fingerprint(mapped.with_rotations()) == fingerprint(table.with_rotations())
    some = table.take_classes([2, 0])
    assert fingerprint(mapped.take_classes([2, 0])) == fingerprint(some)
    other = dataclasses.replace(table, examples=255 - pictures)
    assert fingerprint(other) != fingerprint(table)
