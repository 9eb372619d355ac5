"""Whatever a table lies in, its episodes are the same."""

import dataclasses
import io

import numpy as np
import pytest
from coded_tables import assert_same, coded_table
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.table_folder import open_table, save_table
from tfmeta.episodes import Episodes

SIZES = (4, 6, 3, 5, 3, 4)


def stored(kind, table, folder):
    if kind == "memory map":
        save_table(table, folder)
        return open_table(folder, memory_map=True)
    files = []
    for picture in table.examples:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append(file.getvalue())
    pictures = EncodedPictures.from_files(files, table.example_shape)
    return dataclasses.replace(table, examples=pictures)


CHANGES = {
    "as it is": lambda table: table,
    "classes in another order": lambda table: table.take_classes([5, 0, 3, 1]),
    "rotations": lambda table: table.with_rotations(),
    "some rotations": lambda table: table.with_rotations().take_classes(
        [3, 22, 0, 9, 17]
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["memory map", "encoded"])
def test_the_same_episodes_as_in_memory(kind, change, tmp_path):
    table = coded_table(SIZES)
    options = {"ways": 3, "shots": 1, "queries": 2, "tasks": 2, "seed": 7}
    there = CHANGES[change](table)
    here = CHANGES[change](stored(kind, table, tmp_path / "t"))
    assert not isinstance(here.examples, np.ndarray) or isinstance(
        here.examples, np.memmap
    )
    expected = Episodes(there, **options)
    found = Episodes(here, **options)
    pairs = zip(
        found.as_dataset(start=2**40, steps=2),
        expected.as_dataset(start=2**40, steps=2),
        strict=True,
    )
    for ours, theirs in pairs:
        assert_same(ours, theirs)
    assert found.as_dataset().element_spec == expected.as_dataset().element_spec


@pytest.mark.parametrize("kind", ["memory map", "encoded"])
def test_embeddings_take_the_place_of_rows(kind, tmp_path):
    table = stored(kind, coded_table(SIZES), tmp_path / "t").take_classes([5, 0, 3, 1])
    numbers = np.arange(table.num_examples, dtype="float32")[:, None]
    episodes = Episodes(table, ways=3, queries=2, seed=1)
    stream = episodes.with_examples(numbers)
    rows = stream.batch(4)[0]["query"].numpy()[..., 0].astype(int)
    np.testing.assert_array_equal(
        table.examples[rows], episodes.batch(4)[0]["query"].numpy()
    )


def test_text_becomes_strings():
    texts = ["ein Satz", "", "字\n", "\U0001f600"]
    table = ClassTable.from_arrays("texts", texts, ["a", "a", "b", "b"])
    inputs, _ = Episodes(table, ways=2, shots=1, queries=1).batch(0)
    assert inputs["support"].shape == (1, 2)
    drawn = {t.decode() for k in ("support", "query") for t in inputs[k].numpy()[0]}
    assert drawn == set(texts)
