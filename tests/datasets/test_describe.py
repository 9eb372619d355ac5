import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.describe import (
    TASKS,
    TaskLimit,
    describe_files,
    describe_table,
    largest_tasks,
)
from tfmeta.datasets.duplicates import MOST_NAMED
from tfmeta.datasets.own.open_own import list_own_files
from tfmeta.datasets.storage.table_folder import open_table, save_table


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=1, max_size=40
    )
)
def test_equal_examples_are_counted_in_pairs(rows):
    values, labels = zip(*rows, strict=True)
    table = ClassTable.from_arrays("toy", np.array(values), list(labels))
    facts = describe_table(table)
    # One by one: every pair of examples.
    pairs = {True: set(), False: set()}
    named = {
        f"{name}, example {i + 1}": (name, value)
        for c, name in enumerate(table.class_names)
        for i, value in enumerate(table.examples_of(c))
    }
    for a, (class_a, value_a) in named.items():
        for b, (class_b, value_b) in named.items():
            if a < b and value_a == value_b:
                pairs[class_a != class_b].add(frozenset((a, b)))
    for across, found in ((True, facts.across), (False, facts.within)):
        assert found.pairs == len(pairs[across])
        assert {frozenset(pair) for pair in found.named} <= pairs[across]
        assert len(set(found.named)) == len(found.named) <= MOST_NAMED
        assert bool(found.named) == bool(pairs[across])


def test_many_equal_examples_take_no_time():
    table = ClassTable.from_arrays(
        "toy", np.zeros(20_000), ["a"] * 9999 + ["b"] * 10001
    )
    facts = describe_table(table)
    assert facts.within.pairs == math.comb(9999, 2) + math.comb(10001, 2)
    assert facts.across.pairs == 9999 * 10001
    assert len(facts.within.named) == MOST_NAMED
    assert facts.across.named == (("a, example 1", "b, example 1"),)


def test_the_largest_tasks():
    sizes, origins = [20, 20, 20, 6, 5], list("abbcd")
    assert largest_tasks(sizes, origins) == (
        TaskLimit(shots=1, queries=5, ways=3, left_out=1),
        TaskLimit(shots=1, queries=15, ways=2, left_out=2),
        TaskLimit(shots=5, queries=5, ways=2, left_out=2),
        TaskLimit(shots=5, queries=15, ways=2, left_out=2),
    )
    assert [limit.ways for limit in largest_tasks([5], ["a"])] == [0] * len(TASKS)


def test_the_largest_tasks_can_be_drawn():
    from tfmeta.episodes import Episodes

    table = load("glyphs", split="test").take_classes(range(7))
    for limit in describe_table(table).tasks:
        settings = {"shots": limit.shots, "queries": limit.queries}
        Episodes(table, ways=limit.ways, **settings).batch(0)
        with pytest.raises(ValueError, match="`ways`"):
            Episodes(table, ways=limit.ways + 1, **settings)


def test_a_named_data_set(glyphs):
    done = []
    facts = describe_table(glyphs, on_progress=lambda *n: done.append(n))
    assert done == [(n, 4800) for n in range(1, 4801)]
    assert facts.name == "glyphs-seed0"
    assert facts.class_names == glyphs.class_names
    assert facts.class_sizes == (20,) * 240
    assert facts.group_level == "alphabet"
    assert facts.group_sizes == {f"alphabet{n:02d}": 20 for n in range(38, 50)}
    assert facts.forms == (("28 x 28 x 1 uint8", 4800),)
    assert facts.shorter_sides is None
    turned = describe_table(glyphs.take_classes(range(5)).with_rotations())
    assert (len(turned.class_names), turned.num_origins) == (20, 5)
    assert turned.tasks[0].ways == 5


def test_values_that_are_not_finite_are_named():
    values = np.zeros((4, 3))
    values[1, 2], values[3, 0] = np.nan, -np.inf
    table = ClassTable.from_arrays("toy", values, list("aabb"))
    assert describe_table(table).not_finite == ("a, example 2", "b, example 2")
    # Bit for bit the same NaN is the same example.
    assert describe_table(table).within.pairs == 0


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint16", "complex64", "float16"])
def test_any_dtype(dtype):
    values = np.array([0, 1, 1, 0]).astype(dtype)
    facts = describe_table(ClassTable.from_arrays("toy", values, list("aabb")))
    assert facts.forms == ((f"single {dtype}", 4),)
    assert (facts.across.pairs, facts.within.pairs) == (2, 0)


def test_text():
    texts = np.array(["où", "la", "où"], object)
    facts = describe_table(ClassTable.from_arrays("toy", texts, list("aab")))
    assert facts.forms == (("text", 3),)
    assert facts.across.named == (("a, example 1", "b, example 1"),)


def test_tables_on_disk_have_the_same_facts(glyphs, tmp_path):
    table = glyphs.take_classes(range(30))
    save_table(table, tmp_path / "table")
    mapped = open_table(tmp_path / "table", memory_map=True)
    assert describe_table(mapped) == describe_table(table)
    part = mapped.take_classes([3, 9])
    assert describe_table(part) == describe_table(table.take_classes([3, 9]))


@pytest.fixture
def photos(tmp_path):
    """Grey, colour, 16-bit and turned pictures; the same ones stored in two ways."""
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    root = tmp_path / "photos"
    for place, picture, options in (
        ("a/1.png", Image.fromarray(grey), {}),
        ("a/2.bmp", Image.fromarray(np.dstack([grey] * 3)), {}),
        ("b/1.png", Image.fromarray(np.rot90(grey)), {"exif": exif.tobytes()}),
        ("b/2.png", Image.fromarray(grey + 1), {}),
        ("b/3.png", Image.fromarray(grey.astype(np.uint16) * 257), {}),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / place, **options)
    return root


def test_picture_files_are_compared_by_their_pixels(photos):
    done = []
    facts = describe_files(
        list_own_files(photos), on_progress=lambda *n: done.append(n)
    )
    assert done == [(n, 5) for n in range(1, 6)]
    assert facts.name == "photos"
    assert facts.source == str(photos)
    assert facts.class_sizes == (2, 3)
    assert facts.within.named == (("a/1.png", "a/2.bmp"),)
    assert facts.across.named == (("a/1.png", "b/1.png"),)
    assert facts.across.pairs == 2
    assert dict(facts.forms) == {"4 x 6 L": 3, "4 x 6 RGB": 1, "4 x 6 I;16": 1}
    assert facts.shorter_sides == (4, 4)
    assert facts.group_sizes is None


def test_array_files(tmp_path):
    for place, value in (("a/1", 0.0), ("a/2", np.nan), ("b/1", 0.0)):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{place}.npy", np.full((5, 2), value))
    facts = describe_files(list_own_files(tmp_path))
    assert facts.forms == (("5 x 2 float64", 3),)
    assert facts.not_finite == ("a/2.npy",)
    assert facts.across.named == (("a/1.npy", "b/1.npy"),)


def test_csv_files_with_groups(photos):
    path = photos.parent / "list.csv"
    path.write_text("path,label\nphotos/a/1.png,x\nphotos/b/1.png,y\n")
    facts = describe_files(list_own_files(path))
    assert facts.name == "list"
    assert facts.across.named == (("photos/a/1.png", "photos/b/1.png"),)


def test_what_cannot_be_read_is_named(photos):
    (photos / "b" / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="notes.txt"):
        describe_files(list_own_files(photos))
