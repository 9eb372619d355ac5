import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.datasets import ClassTable


def pictures(count, size=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, size, size, 1), np.uint8)


def table(**changes):
    parts = {
        "name": "toy",
        "examples": np.arange(5),
        "offsets": [0, 2, 5],
        "class_names": ("a", "b"),
    }
    return ClassTable(**{**parts, **changes})


@given(st.lists(st.text("abé字_/", min_size=1, max_size=3), min_size=1, max_size=30))
def test_from_arrays_keeps_every_example_with_its_label(labels):
    made = ClassTable.from_arrays("toy", np.arange(len(labels)), labels)
    assert list(made.class_names) == sorted(set(labels))
    for c, name in enumerate(made.class_names):
        expected = [i for i, label in enumerate(labels) if label == name]
        assert made.examples_of(c).tolist() == expected
    assert made.class_sizes.tolist() == [labels.count(n) for n in made.class_names]


def test_groups_follow_their_classes():
    made = ClassTable.from_arrays(
        "toy", np.arange(3), ["b", "a", "c"], groups={"a": "x", "b": "y", "c": "x"}
    )
    assert made.groups == ("x", "y", "x")
    assert made.take_classes([2, 1]).groups == ("x", "y")


@given(st.permutations(range(4)), st.integers(1, 4))
def test_take_classes_in_the_order_given(order, count):
    sizes = [2, 1, 3, 2]
    labels = np.repeat(list("abcd"), sizes)
    whole = ClassTable.from_arrays("toy", np.arange(8), list(labels))
    part = whole.take_classes(order[:count])
    assert part.class_names == tuple("abcd"[c] for c in order[:count])
    for place, c in enumerate(order[:count]):
        assert part.examples_of(place).tolist() == whole.examples_of(c).tolist()


def test_rotations_are_the_four_turns_of_each_class():
    whole = ClassTable.from_arrays("toy", pictures(4), ["a", "a", "b", "b"])
    turned = whole.with_rotations()
    assert turned.num_classes == 8
    assert turned.class_names[:4] == ("a/rot000", "a/rot090", "a/rot180", "a/rot270")
    for c in range(2):
        upright = whole.examples_of(c)
        np.testing.assert_array_equal(turned.examples_of(4 * c), upright)
        # A half turn reverses both axes; quarter turns reverse one and swap.
        np.testing.assert_array_equal(
            turned.examples_of(4 * c + 2), upright[:, ::-1, ::-1]
        )
        np.testing.assert_array_equal(
            turned.examples_of(4 * c + 1), upright.swapaxes(1, 2)[:, ::-1]
        )
        np.testing.assert_array_equal(
            turned.examples_of(4 * c + 3), upright.swapaxes(1, 2)[:, :, ::-1]
        )


def test_rotations_share_their_origin_with_the_upright_class():
    whole = ClassTable.from_arrays("toy", pictures(2), ["a", "b"])
    turned = whole.with_rotations()
    assert turned.origins == ("toy/a",) * 4 + ("toy/b",) * 4
    assert set(turned.origins) == set(whole.origins)
    half = turned.take_classes([4, 7])
    assert set(half.origins).isdisjoint(whole.take_classes([0]).origins)


def test_equal_class_names_of_two_data_sets_are_not_one_origin():
    assert set(table().origins).isdisjoint(table(name="other").origins)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": (), "offsets": [0]}, "at least one class"),
        ({"offsets": [0, 5]}, r"shape \(3,\)"),
        ({"offsets": [0, 2, 4]}, "to the number of examples, 5"),
        ({"offsets": [0, 5, 5]}, "'b' with 0"),
        ({"class_names": ("a", "a")}, "'a' twice"),
        ({"groups": ("x",)}, "`groups`"),
        ({"origin_names": ("x",)}, "`origin_names`"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        table(**changes)


def test_other_mistakes_are_named():
    with pytest.raises(ValueError, match="`labels`"):
        ClassTable.from_arrays("toy", np.arange(3), ["a"])
    with pytest.raises(ValueError, match="`class_ids`"):
        table().take_classes([])
    with pytest.raises(ValueError, match="square"):
        table().with_rotations()


def test_needs_numpy_alone():
    code = (
        "import sys, tfmeta.datasets; heavy = {'tensorflow', 'keras', "
        "'tensorflow_datasets', 'PIL'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_texts_are_kept_as_str_objects():
    made = ClassTable.from_arrays("t", ["zwei", "eins", "drei"], ["b", "a", "b"])
    assert made.examples.dtype == object and made.example_shape == ()
    assert made.examples.tolist() == ["eins", "zwei", "drei"]
    assert all(type(e) is str for e in made.examples)
    given_as_array = table(examples=np.array(list("abcde")))
    assert given_as_array.examples.dtype == object
    assert given_as_array.take_classes([1]).examples.tolist() == ["c", "d", "e"]
    assert "5 examples of shape () object" in repr(given_as_array)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (np.array(["a", "b", "c", "d", 5], object), "each a str. Received: int"),
        (np.array(["a", "b", "c", "d", None], object), "Received: NoneType"),
        (np.full((5, 2), "a", object), r"shape \(examples,\)"),
    ],
)
def test_objects_other_than_str_are_refused(examples, message):
    with pytest.raises(ValueError, match=message):
        table(examples=examples)


def test_a_memory_map_is_not_copied(tmp_path):
    np.save(tmp_path / "e.npy", pictures(9))
    examples = np.load(tmp_path / "e.npy", mmap_mode="r")
    labels = list("bacbacbac")
    there = ClassTable.from_arrays("toy", pictures(9), labels)
    here = ClassTable.from_arrays("toy", examples, labels)
    for change in (
        lambda t: t,
        lambda t: t.take_classes([2, 0]),
        lambda t: t.with_rotations(),
        lambda t: t.with_rotations().take_classes([7, 2, 9]),
        lambda t: t.take_classes([1, 2]).with_rotations(),
    ):
        one, other = change(there), change(here)
        assert one.class_names == other.class_names and one.origins == other.origins
        assert type(one.examples) is np.ndarray
        assert repr(one) == repr(other)
        np.testing.assert_array_equal(one.examples, np.asarray(other.examples))
        for c in range(one.num_classes):
            np.testing.assert_array_equal(one.examples_of(c), other.examples_of(c))
        parent = other.examples
        while not isinstance(parent, np.ndarray):
            parent = parent.parent
        assert parent is examples
    mapped = table(examples=examples[:5])
    assert np.shares_memory(mapped.examples_of(1), examples)
