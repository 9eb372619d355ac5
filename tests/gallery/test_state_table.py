"""Rows of classes, as a dictionary of them would hold them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.gallery.state_table import ROWS_TOGETHER, StateTable, aligned_zeros

_IDS = st.lists(st.integers(1, 300), min_size=1, max_size=90, unique=True)
_STEPS = st.lists(st.tuples(st.booleans(), _IDS), max_size=8)


@settings(deadline=None, max_examples=60)
@given(steps=_STEPS)
def test_rows_are_those_of_the_latest_writing(steps):
    table, wanted = StateTable(), {}
    for number, (add, ids) in enumerate(steps):
        ids = np.array(ids)
        if add:
            table.reserve(ids)
            rows = np.stack([ids, np.full(len(ids), number)], axis=1).astype("f4")
            table.write(table.slots(ids), {"vectors": rows, "is": rows[:, 0] > 0})
            wanted.update(zip(ids.tolist(), rows, strict=True))
        else:
            table.remove(ids)
            for one in ids.tolist():
                wanted.pop(one, None)
        assert len(table) == len(wanted)
        assert table.ids[table.present].tolist() == sorted(wanted)
        assert (np.diff(table.ids) > 0).all()
        for one, row in wanted.items():
            (slot,) = table.slots(np.array([one]))
            assert table.present[slot]
            np.testing.assert_array_equal(table.parts["vectors"][slot], row)
            assert table.parts["is"][slot]


def test_a_class_comes_back_to_its_row():
    table = StateTable()
    slots = table.reserve(np.arange(1, 101))
    table.write(slots, {"vectors": np.ones((100, 2))})
    layout = table.layout
    assert table.remove(np.array([40, 1000])).tolist() == [39]
    assert len(table) == 99
    assert table.reserve(np.array([40])).tolist() == [39]
    assert table.layout == layout


def test_one_class_more_moves_no_row():
    table = StateTable()
    table.write(table.reserve(np.arange(1, 1001)), {"vectors": np.ones((1000, 3))})
    memory, layout = table.memory("vectors"), table.layout
    for one in range(1001, 1201):
        table.write(table.reserve(np.array([one])), {"vectors": np.full((1, 3), one)})
    assert table.layout == layout
    assert np.shares_memory(memory, table.parts["vectors"])
    assert table.parts["vectors"][-1].tolist() == [1200] * 3
    assert len(table.memory("vectors")) % ROWS_TOGETHER == 0


def test_memory_is_where_tensorflow_takes_it():
    for _ in range(5):
        assert aligned_zeros((3, 5), np.float32).ctypes.data % 64 == 0
