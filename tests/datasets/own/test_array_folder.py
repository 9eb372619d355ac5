import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmeta.datasets.own.array_files import open_array
from tfmeta.datasets.own.array_folder import load_array_folder
from tfmeta.datasets.own.npz_archive import DTYPES


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=True)
    return path


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "gestures"
    for name, count in (("wave", 2), ("nod", 3)):
        for number in range(count):
            value = number + 10 * (name == "wave")
            save(root / name / f"{number}.npy", np.full((5, 2), value, np.float32))
    return root


def test_one_class_for_each_sub_folder(folder):
    done = []
    table = load_array_folder(folder, on_progress=lambda *n: done.append(n))
    assert table.name == "gestures"
    assert table.class_names == ("nod", "wave")
    assert table.class_sizes.tolist() == [3, 2]
    assert table.example_shape == (5, 2)
    assert table.examples.dtype == np.float32
    assert table.examples[:, 0, 0].tolist() == [0, 1, 2, 10, 11]
    assert done == [(n, 5) for n in range(1, 6)]
    assert load_array_folder(folder, name="mine").origins[0] == "mine/nod"


arrays = st.tuples(
    st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, max_side=4)
).flatmap(
    lambda form: st.lists(
        hnp.arrays(
            *form,
            elements=hnp.from_dtype(
                np.dtype(form[0]), allow_nan=False, allow_infinity=False
            ),
        ),
        min_size=2,
        max_size=4,
    )
)


@settings(deadline=None, max_examples=40)
@given(arrays, st.sampled_from("<>"), st.booleans())
def test_any_shape_dtype_order_and_bytes(tmp_path_factory, stack, order, fortran):
    root = tmp_path_factory.mktemp("arrays")
    for number, array in enumerate(stack):
        stored = array.astype(array.dtype.newbyteorder(order))
        stored = np.asfortranarray(stored) if fortran and stored.ndim else stored
        save(root / f"class{number % 2}" / f"{number}.npy", stored)
    table = load_array_folder(root)
    assert table.examples.dtype == stack[0].dtype
    assert table.examples.dtype.isnative
    np.testing.assert_array_equal(
        table.examples, np.stack([*stack[0::2], *stack[1::2]])
    )


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 3), np.float32), r"float32 \(5, 2\) in .*0.npy.*\(5, 3\) in .*x"),
        (np.zeros((5, 2)), r"float32 \(5, 2\) in .*float64 \(5, 2\) in .*x.npy"),
        (np.array(["text"]), "x.npy.*dtype <U4"),
        (np.zeros(2, [("a", int)]), "x.npy.*dtype"),
        (np.array(["2020"], "datetime64[Y]"), "x.npy.*dtype datetime64"),
        (np.array([{}], object), "x.npy.*whole .npy file"),
    ],
)
def test_what_does_not_fit_is_named(folder, array, message):
    save(folder / "wave" / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        load_array_folder(folder)


class Harmful:
    def __reduce__(self):
        return (print, ("this code must never run",))


def test_pickles_are_never_loaded(folder, capsys):
    (folder / "wave" / "x.npy").write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ValueError, match="x.npy.*whole .npy file"):
        load_array_folder(folder)
    save(folder / "wave" / "x.npy", np.array([Harmful()], object))
    with pytest.raises(ValueError, match="x.npy.*whole .npy file"):
        load_array_folder(folder)
    assert capsys.readouterr().out == ""


@settings(deadline=None)
@given(st.integers(0, 167), st.binary(max_size=3))
def test_damaged_files_are_named(tmp_path_factory, keep, tail):
    path = save(tmp_path_factory.mktemp("one") / "x.npy", np.zeros((5, 2), np.float32))
    path.write_bytes(path.read_bytes()[:keep] + tail)
    try:
        array = open_array(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:  # What was cut off has been put back by chance.
        assert array.shape == (5, 2)


def test_a_head_that_promises_too_much_is_refused(tmp_path):
    path = save(tmp_path / "x.npy", np.zeros(8, np.uint8))
    content = path.read_bytes().replace(b"(8,), }   ", b"(2**9,), } ")
    path.write_bytes(content.replace(b"(2**9,), } ", b"(8000000000000,), } "[:11]))
    with pytest.raises(ValueError, match="x.npy"):
        open_array(path)
    path = save(tmp_path / "y.npy", np.zeros(8, np.uint8))
    head = path.read_bytes()
    place = head.index(b"(8,), }")
    wide = b"(8000000000000,), }"
    path.write_bytes(head[:place] + wide + head[place + len(wide) :])
    with pytest.raises(ValueError, match="y.npy"):
        open_array(path)


def test_archives_of_arrays_are_refused(folder):
    np.savez(folder / "wave" / "x.npz", a=np.zeros(3))
    (folder / "wave" / "x.npz").rename(folder / "wave" / "x.npy")
    with pytest.raises(ValueError, match="a zip archive of arrays"):
        load_array_folder(folder)


def test_missing_and_empty(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_array_folder(tmp_path / "nowhere")
    (tmp_path / "empty" / "blink").mkdir(parents=True)
    with pytest.raises(ValueError, match="at least one example.*blink"):
        load_array_folder(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="none there"):
        open_array(tmp_path / "x.npy")
