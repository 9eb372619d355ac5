"""The three kinds of test episodes that stand side by side."""

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation import realistic_episodes


def make_table(sizes, groups=None):
    """Examples that are the number of their class."""
    return ClassTable(
        "toy",
        np.repeat(np.arange(len(sizes)), sizes)[:, None].astype("float32"),
        np.concatenate([[0], np.cumsum(sizes)]),
        tuple(f"class{c}" for c in range(len(sizes))),
        groups=None if groups is None else tuple(groups),
        group_level="family",
    )


SETTINGS = {"ways": 3, "shots": 2, "queries": 2, "tasks": 4, "seed": 5}


def groups_of(episodes, steps=20):
    ids = np.concatenate([episodes.class_ids(step) for step in range(steps)])
    return np.array(episodes.table.groups)[ids]


def test_three_columns():
    found = realistic_episodes(make_table([5] * 9, "aaabbbbcc"), **SETTINGS)
    assert list(found.columns) == ["uniform", "same family", "all classes"]
    uniform, alike, every = found.columns.values()
    for episodes in found.columns.values():
        assert (episodes.shots, episodes.queries, episodes.seed) == (2, 2, 5)
    assert (uniform.ways, alike.ways, every.ways) == (3, 3, 9)
    assert (uniform.tasks, alike.tasks, every.tasks) == (4, 4, 1)
    # The customary ones are exactly those that are drawn without this.
    plain = Episodes(uniform.table, **SETTINGS)
    assert uniform.describe() == plain.describe()
    np.testing.assert_array_equal(uniform.class_ids(3), plain.class_ids(3))
    assert any(len(set(task)) > 1 for task in groups_of(uniform))
    assert all(len(set(task)) == 1 for task in groups_of(alike))
    assert set(groups_of(alike).ravel()) == {"a", "b"}
    assert sorted(every.class_ids(0)[0]) == list(range(9))
    (note,) = found.notes
    assert note == "`same family` leaves out those with fewer than 3 classes: c"


def test_rotations_count_once_among_all_classes():
    pictures = np.zeros((20, 4, 4, 1), "uint8")
    table = ClassTable("t", pictures, np.arange(0, 21, 5), tuple("abcd"))
    settings = {"ways": 3, "shots": 2, "queries": 2}
    found = realistic_episodes(table.with_rotations(), **settings)
    every = found.columns["all classes"]
    assert every.ways == 4
    assert sorted(every.class_ids(0)[0] // 4) == [0, 1, 2, 3]


def test_without_groups_there_is_no_column_of_them():
    found = realistic_episodes(make_table([5] * 6), **SETTINGS)
    assert list(found.columns) == ["uniform", "all classes"]
    assert found.notes == ("table 'toy' has no groups to draw one from",)


def test_groups_that_are_all_too_small():
    found = realistic_episodes(make_table([5] * 6, "aabbcc"), **SETTINGS)
    assert list(found.columns) == ["uniform", "all classes"]
    (note,) = found.notes
    assert note.startswith("no family is large enough: `ways` must be at most")
    assert "which is 2" in note


def test_classes_with_few_examples_are_left_out_of_all():
    table = make_table([5, 3, 4, 9, 2, 4], "aaaabb")
    found = realistic_episodes(table, **SETTINGS)
    assert found.columns["all classes"].ways == 4
    for episodes in found.columns.values():
        assert episodes.table.class_names == ("class0", "class2", "class3", "class5")
    assert found.notes[0] == (
        "2 of 6 classes have fewer than shots + queries = 4 examples and are left out"
    )
    assert found.notes[1].endswith("fewer than 3 classes: b")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([5, 5], r"`ways` must be at most .* which is 2\. Received: ways=3"),
        ([5, 5, 3, 3], r"`ways` must be at most .* which is 2\. Received: ways=3"),
        ([3, 3, 3, 3], r"= 2 \+ 2 = 4, and class 'class0' has 3"),
    ],
)
def test_what_cannot_be_drawn_is_named(sizes, message):
    with pytest.raises(ValueError, match=message):
        realistic_episodes(make_table(sizes), **SETTINGS)
