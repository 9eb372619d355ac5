import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.datasets.imagenet.file_names import (
    by_number,
    class_of,
    is_ilsvrc,
    is_picture,
    numbered,
)


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("n01532829/n0153282900000005.jpg", "n01532829"),
        ("train/n01532829/1.png", "n01532829"),
        ("train/n01524359/n01532829/n01532829_28.JPEG", "n01532829"),
        ("n01532829/images/n01532829_0.JPEG", "n01532829"),
        ("images/n0153282900000005.jpg", "n01532829"),
        ("n01532829_28.JPEG", "n01532829"),
        ("n01532829.jpg", None),
        ("n0153282/a.jpg", None),
        ("val/ILSVRC2012_val_00000001.JPEG", None),
    ],
)
def test_class_of(name, class_name):
    assert class_of(name) == class_name


def test_kinds_of_names():
    assert is_ilsvrc("train/n01532829/n01532829_28.JPEG")
    assert not is_ilsvrc("n01532829/n01558993_28.JPEG")
    assert not is_ilsvrc("n01532829/n0153282900000005.jpg")
    assert not is_ilsvrc("val/n01532829/ILSVRC2012_val_00000001.JPEG")
    assert [is_picture(n) for n in ("a.JPEG", "a.jpg", "a.png", "a.csv", "jpg")] == [
        *(True, True, True),
        *(False, False),
    ]


@given(st.sets(st.integers(0, 10**6), min_size=1), st.integers(-1, 10**4))
def test_numbers_count_files_in_the_order_of_theirs(numbers, wanted):
    files = sorted((f"n01532829_{n}.JPEG" for n in numbers), key=by_number)
    expected = dict(enumerate(sorted(numbers), 1)).get(wanted)
    found = numbered(files, f"n01532829{max(wanted, 0):08d}.jpg")
    assert found == (None if expected is None else f"n01532829_{expected}.JPEG")


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names):
    assert sorted(sorted(names, key=by_number)) == sorted(names)
