import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets import ClassTable
from tfmeta.datasets.class_splits import (
    RATIOS,
    assign_by_ratio,
    split_by_group,
    split_by_names,
    split_by_ratio,
)


def table_of(classes, groups=None, rotated=False):
    names = tuple(f"c{i:03d}" for i in range(classes))
    table = ClassTable(
        name="toy",
        examples=np.arange(classes * 4, dtype=np.uint8).reshape(classes, 2, 2, 1),
        offsets=np.arange(classes + 1),
        class_names=names,
        groups=None if groups is None else tuple(groups),
        group_level="family",
    )
    return table.with_rotations() if rotated else table


weights = st.lists(st.integers(1, 20), min_size=1, max_size=5)


def ratios_of(parts):
    return {f"s{i}": part / sum(parts) for i, part in enumerate(parts)}


@settings(deadline=None)
@given(st.integers(1, 60), weights, st.integers(0, 2**40), st.booleans())
def test_by_ratio_every_class_is_in_one_split(classes, parts, seed, rotated):
    table, ratios = table_of(classes, rotated=rotated), ratios_of(parts)
    if classes < len(ratios):
        with pytest.raises(
            ValueError, match=f"{len(ratios)} splits.*{classes} classes"
        ):
            split_by_ratio(table, ratios, seed=seed)
        return
    splits = split_by_ratio(table, ratios, seed=seed)
    assert list(splits) == list(ratios)
    names = [n for part in splits.values() for n in part.class_names]
    assert sorted(names) == sorted(table.class_names)
    origins = [set(part.origins) for part in splits.values()]
    assert sum(map(len, origins)) == len(set().union(*origins)) == classes
    place = {name: index for index, name in enumerate(table.class_names)}
    for part, ratio, found in zip(
        splits.values(), ratios.values(), origins, strict=True
    ):
        assert len(found) >= 1
        places = [place[n] for n in part.class_names]
        assert places == sorted(places)
        for class_id, name in enumerate(part.class_names):
            np.testing.assert_array_equal(
                part.examples_of(class_id), table.examples_of(place[name])
            )
        # Off by less than one, but for what the smallest are raised to.
        if min(ratios.values()) * classes >= 1:
            assert abs(len(found) - ratio * classes) < 1


@settings(deadline=None)
@given(st.integers(3, 40), st.integers(0, 2**40))
def test_the_order_of_classes_and_the_rotations_do_not_matter(classes, seed):
    table = table_of(classes)
    here = split_by_ratio(table, seed=seed)
    there = split_by_ratio(table.take_classes(range(classes)[::-1]), seed=seed)
    turned = split_by_ratio(table.with_rotations(), seed=seed)
    for split in RATIOS:
        assert set(here[split].class_names) == set(there[split].class_names)
        assert set(here[split].origins) == set(turned[split].origins)


def test_the_split_of_a_seed_stays():
    # Written down once: a run that is evaluated with a later version has to find
    # the classes that it was trained on.
    names = [f"c{i}" for i in range(10)]
    assert "".join(s[1] for s in assign_by_ratio(names, RATIOS, seed=0)) == "rrrraerare"
    code = (
        "from tfmeta.datasets.class_splits import *;"
        f"print(assign_by_ratio({names}, RATIOS, seed=0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(assign_by_ratio(names, RATIOS, seed=0))


def test_all_splits_are_equally_likely():
    counts: dict[tuple[str, ...], int] = {}
    for seed in range(2000):
        found = tuple(assign_by_ratio("abcde", {"x": 0.4, "y": 0.6}, seed=seed))
        counts[found] = counts.get(found, 0) + 1
    assert len(counts) == 10
    # Chi-squared with 9 degrees of freedom: above 27.9 once in a thousand.
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 27.9


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40),
    weights,
    st.integers(0, 2**40),
)
def test_groups_never_straddle(groups, parts, seed):
    table, ratios = table_of(len(groups), groups, rotated=True), ratios_of(parts)
    if len(set(groups)) < len(ratios):
        with pytest.raises(ValueError, match="at least one of the familys"):
            split_by_group(table, ratios, seed=seed)
        return
    splits = split_by_group(table, ratios, seed=seed)
    found = [set(part.groups) for part in splits.values()]
    assert all(found)
    assert sum(map(len, found)) == len(set().union(*found)) == len(set(groups))
    assert sum(part.num_classes for part in splits.values()) == table.num_classes


def test_groups_are_needed_and_hold_their_origins():
    with pytest.raises(ValueError, match="'toy' must have groups"):
        split_by_group(table_of(4))
    turned = table_of(2, "ab", rotated=True)
    torn = dataclasses.replace(turned, groups=("a", "b") * 4)
    with pytest.raises(ValueError, match="'toy/c000' in 'a' and 'b'"):
        split_by_group(torn, {"x": 0.5, "y": 0.5})


@settings(deadline=None)
@given(st.lists(st.sampled_from(["train", "test", None]), min_size=2, max_size=20))
def test_by_names_is_as_it_was_written(wanted):
    table = table_of(len(wanted), rotated=True)
    names = {
        split: [f"c{i:03d}" for i, s in enumerate(wanted) if s == split]
        for split in ("train", "test")
    }
    if not all(names.values()):
        with pytest.raises(ValueError, match="at least one name for each split"):
            split_by_names(table, names)
        return
    if None in wanted:
        with pytest.raises(ValueError, match="unless `allow_unlisted` is True"):
            split_by_names(table, names)
    splits = split_by_names(table, names, allow_unlisted=True)
    for split, listed in names.items():
        assert set(splits[split].origins) == {f"toy/{n}" for n in listed}
        assert splits[split].num_classes == 4 * len(listed)


def test_by_names_of_groups():
    table = table_of(5, "aabbc")
    splits = split_by_names(table, {"x": ["a", "c"], "y": ["b"]}, by_group=True)
    assert splits["x"].class_names == ("c000", "c001", "c004")
    assert splits["y"].groups == ("b", "b")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "at least one split"),
        ({"x": []}, r"Received: \[\] for 'x'"),
        ({"x": "c000"}, "Received: 'c000' for 'x'"),
        ({"x": ["c000", "c9"]}, "'c9' in split 'x'"),
        ({"x": ["c000"], "y": ["c000"]}, "'c000' in 'x' and 'y'"),
        ({"x": ["c000/rot000", "c001"]}, "in no list"),
    ],
)
def test_lists_that_do_not_fit(names, message):
    with pytest.raises(ValueError, match=message):
        split_by_names(table_of(2, rotated=True), names)


def test_lists_do_not_tear_a_class_from_its_rotations():
    turned = table_of(1, rotated=True)
    upright, *others = turned.class_names
    with pytest.raises(ValueError, match="one origin.*'toy/c000' in 'x' and 'y'"):
        split_by_names(turned, {"x": [upright], "y": others})
    with pytest.raises(ValueError, match="'toy/c000' in 'x' and 'none'"):
        split_by_names(turned, {"x": [upright]}, allow_unlisted=True)


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ({}, "above 0"),
        ({"a": 1.2, "b": -0.2}, "above 0"),
        ({"a": float("nan")}, "above 0"),
        ({"a": 0.5, "b": 0.4}, "sum to 0.9"),
        ({"a": 0.5, "b": 0.6}, "sum to 1.1"),
    ],
)
def test_ratios_are_checked(ratios, message):
    with pytest.raises(ValueError, match=message):
        split_by_ratio(table_of(9), ratios)


def test_seeds_are_checked():
    with pytest.raises(ValueError, match="`seed`.*-1"):
        split_by_ratio(table_of(9), seed=-1)
    with pytest.raises(TypeError):
        split_by_ratio(table_of(9), seed=0.5)
