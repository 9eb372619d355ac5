"""Examples that do not lie in memory are indexed as an array is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_tables import encoded, make_table

from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.rotated import RotatedExamples
from tfmeta.datasets.storage.selected import SelectedExamples, select_rows

TABLE = make_table()
ARRAY = TABLE.examples
ROWS = np.array([4, 4, 0, 9, 1, 7, 3, 2])
TURNS = np.array([0, 1, 2, 3, 3, 2, 1, 0, 1, 1])

# Each with the array that it must be equal to.
KINDS = {
    "encoded": (encoded(TABLE).examples, ARRAY),
    "selected": (SelectedExamples(encoded(TABLE).examples, ROWS), ARRAY[ROWS]),
    "rotated": (
        RotatedExamples(encoded(TABLE).examples, TURNS),
        np.stack([np.rot90(p, k) for p, k in zip(ARRAY, TURNS, strict=True)]),
    ),
}
KINDS["rotated, then selected"] = (
    SelectedExamples(KINDS["rotated"][0], ROWS),
    KINDS["rotated"][1][ROWS],
)

INDICES = st.one_of(
    st.integers(-8, 7),
    st.slices(8),
    st.lists(st.integers(-8, 7), max_size=5),
    st.lists(st.lists(st.integers(0, 7), min_size=2, max_size=2), min_size=1),
    st.lists(st.booleans(), min_size=8, max_size=8).map(np.array),
)


@pytest.mark.parametrize("kind", KINDS)
def test_shape_dtype_and_all_of_it(kind):
    examples, array = KINDS[kind]
    assert examples.shape == array.shape and len(examples) == len(array)
    assert examples.dtype == array.dtype
    np.testing.assert_array_equal(np.asarray(examples), array)
    np.testing.assert_array_equal(np.stack(list(examples)), array)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(key=INDICES)
def test_indexed_as_numpy_does(kind, key):
    examples, array = KINDS[kind]
    if isinstance(key, np.ndarray):  # of bools, one for each row
        key = np.resize(key, len(array))
    expected = array[np.zeros(0, int) if isinstance(key, list) and not key else key]
    found = examples[key]
    assert isinstance(found, np.ndarray) and found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [10, -11, [0, 10], 1.5, "a", (0, 0), np.ones(3, bool)])
def test_what_is_no_row_is_an_index_error(kind, key):
    with pytest.raises(IndexError, match="Received"):
        KINDS[kind][0][key]


def test_a_selection_of_a_selection_is_one():
    once = select_rows(encoded(TABLE).examples, ROWS)
    twice = select_rows(once, np.array([7, 0]))
    assert isinstance(twice.parent, EncodedPictures)
    assert twice.rows.tolist() == [2, 4]


def test_nothing_is_read_before_it_is_indexed(monkeypatch):
    pictures = encoded(TABLE).examples
    read = []
    decode = EncodedPictures.read
    monkeypatch.setattr(
        EncodedPictures, "read", lambda s, rows: read.extend(rows) or decode(s, rows)
    )
    chosen = SelectedExamples(RotatedExamples(pictures, TURNS), ROWS)
    assert read == []
    assert chosen[[3, 1]].shape == (2, 5, 5, 3)
    assert read == [9, 4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: SelectedExamples(p, np.array([10])), "from 0 to 9"),
        (lambda p: RotatedExamples(p, np.zeros(3, int)), r"shape \(10,\)"),
        (lambda p: EncodedPictures(p.blob, p.spans, (5, 5)), "1 or 3 channels"),
        (lambda p: EncodedPictures(p.blob, p.spans, (5, 5, 4)), "1 or 3 channels"),
        (lambda p: EncodedPictures(p.blob, p.spans[:, 0], (5, 5, 3)), "(examples, 2)"),
        (lambda p: EncodedPictures(p.blob[:-1], p.spans, (5, 5, 3)), "for row 9"),
        (lambda p: EncodedPictures(p.blob, -p.spans, (5, 5, 3)), "for row 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, message):
    with pytest.raises((ValueError, IndexError)) as error:
        make(encoded(TABLE).examples)
    assert message.replace("\\", "") in str(error.value)
