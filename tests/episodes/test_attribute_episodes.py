"""Zero-shot episodes: one description for each class in place of examples."""

import dataclasses

import numpy as np
import pytest
from coded_tables import arrays, assert_same, coded_table, decode

from tfmeta.episodes import Episodes


def make_table(kind="numbers"):
    table = coded_table([5] * 6)
    attributes = 10.0 + np.arange(12, dtype="float32").reshape(6, 2)
    if kind == "text":
        attributes = np.array([f"klasse {c} ü" for c in range(6)], object)
    return dataclasses.replace(table, class_attributes=attributes)


@pytest.mark.parametrize("kind", ["numbers", "text"])
@pytest.mark.parametrize("ways", [3, (2, 4)])
def test_support_describes_the_classes_of_the_queries(kind, ways):
    table = make_table(kind)
    settings = {"ways": ways, "queries": 2, "tasks": 5, "seed": 3}
    episodes = Episodes(table, support="attributes", **settings)
    plain = Episodes(table, **settings)
    for step in (0, 7):
        one, other = arrays(episodes.batch(step)), arrays(plain.batch(step))
        support, examples = one[0].pop("support"), other[0].pop("support")
        # All but the support is that of one-shot episodes.
        assert_same(one, other)
        ids = episodes.class_ids(step)
        real = ids >= 0
        np.testing.assert_array_equal(decode(examples[real])[0], ids[real])
        expected = table.class_attributes[ids[real]]
        if kind == "text":
            expected = [text.encode() for text in expected]
        np.testing.assert_array_equal(support[real], expected)
        # Padded rows are blank.
        assert not np.any(support[~real] != (b"" if kind == "text" else 0.0))


def test_with_unlabelled_examples_and_other_examples():
    table = make_table()
    episodes = Episodes(
        table, ways=2, queries=1, unlabelled=2, distractors=1, support="attributes"
    )
    embedded = episodes.with_examples(np.arange(30.0)[:, None])
    inputs, moved = episodes.batch(0)[0], embedded.batch(0)[0]
    np.testing.assert_array_equal(inputs["support"], moved["support"])
    assert inputs["unlabelled"].shape == (1, 6, 3, 3, 3)
    assert moved["unlabelled"].shape == (1, 6, 1)


def test_the_description_says_so():
    table = make_table()
    assert (
        Episodes(table, queries=1, support="attributes").describe()["support"]
        == "attributes"
    )
    assert "support" not in Episodes(table, queries=1).describe()
    assert Episodes(table, queries=1).support == "examples"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"support": "names"}, "`support` must be 'examples' or.*'names'"),
        ({"support": "attributes", "shots": 2}, "`shots` must be 1 with.*shots=2"),
        ({"support": "attributes", "shots": (1, 2)}, "`shots` must be 1 with"),
    ],
)
def test_what_does_not_go_together(settings, message):
    with pytest.raises(ValueError, match=message):
        Episodes(make_table(), queries=1, **settings)


def test_a_table_without_attributes():
    with pytest.raises(ValueError, match="needs a table with.*'coded', which has none"):
        Episodes(coded_table([5] * 6), queries=1, support="attributes")
