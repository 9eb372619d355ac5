"""`.npz` files of examples and classes."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfmeta.datasets import load
from tfmeta.datasets.own import load_array_folder, load_npz, open_own
from tfmeta.datasets.own.array_files import array_form, open_array
from tfmeta.datasets.own.npz_archive import opened_npz

X = np.arange(24.0).reshape(6, 4)
Y = np.array([2, 10, 2, 10, 1, 1])


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return save


@pytest.mark.parametrize("names", [("X", "y"), ("x", "labels"), ("features", "y")])
def test_examples_with_their_classes(save, names):
    table = load_npz(save(**dict(zip(names, (X, Y), strict=True))))
    assert table.name == "data" and table.groups is None
    # As numbers, not as texts.
    assert table.class_names == ("1", "2", "10")
    np.testing.assert_array_equal(table.examples, X[[4, 5, 0, 2, 1, 3]])


def test_names_groups_and_compression(tmp_path):
    path = tmp_path / "data.npz"
    label = np.array([" é", "b", " é", "b", "c", "c"])  # é of two letters
    np.savez_compressed(
        path, examples=X.astype(">f4"), y=label, groups=[0, 1, 0, 1, 1, 1]
    )
    table = open_own(path)
    assert table.class_names == ("b", "c", "é")
    assert table.groups == ("1", "1", "0")
    assert table.examples.dtype == np.dtype("float32") and table.examples.dtype.isnative
    splits = [load(path, split=s) for s in ("train", "validation", "test")][0]
    assert splits.example_shape == (4,)


def test_bytes_are_names_too(save):
    assert load_npz(save(X=X, y=np.array([b"a", b"b"] * 3))).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X, "y_train": Y}, "X or x or .*Received: x_train, y_train"),
        ({"X": X}, "y or labels.*Received: X"),
        ({"X": X, "features": X, "y": Y}, "one array among.*Received: X and features"),
        ({"X": X, "y": Y[:5]}, r"'y' in .*shape \(6,\).*Received: \(5,\)"),
        ({"X": X, "y": Y[:, None]}, r"shape \(6,\).*Received: \(6, 1\)"),
        ({"X": X, "y": Y / 2}, "whole numbers or texts. Received: dtype float64"),
        ({"X": X, "y": Y.astype(object)}, "asarray.y, str.*dtype object"),
        ({"X": X, "y": np.array(["a", ""] * 3)}, "an empty name in row 1"),
        ({"X": X, "y": np.array([b"\xff"] * 6)}, "in UTF-8"),
        ({"X": X[:, 0], "y": Y}, r"of shape \(examples, ...\).*Received: \(6,\)"),
        ({"X": X[:0], "y": Y[:0]}, r"Received: \(0, 4\)"),
        ({"X": X.astype(str), "y": Y}, "'X' of dtype <U"),
        ({"X": X.astype(object), "y": Y}, "'X' of dtype object"),
        (
            {"X": np.array([[1], [2, 3]], object), "y": Y[:2]},
            "'X' of dtype object",  # ragged
        ),
        ({"X": np.where(X == 9, np.nan, X), "y": Y}, "in 1 of 6 examples.*row 2"),
        ({"X": np.where(X > 9, np.inf, X), "y": Y}, "in 4 of 6 examples.*row 2"),
        ({"X": X, "y": Y, "groups": [0, 0, 1, 0, 0, 0]}, r"groups\[2\]: a class must"),
        ({"X": X, "y": Y, "groups": [0, 0]}, "'groups' in .*for each example"),
        ({}, "Received: none"),
    ],
)
def test_what_does_not_fit_is_named(save, arrays, message):
    path = save(**arrays)
    with pytest.raises(ValueError, match=message) as found:
        open_own(path)
    assert str(path) in str(found.value)
    with pytest.raises(ValueError, match="`size` must be left out for a .npz file"):
        open_own(path, size=3)


def test_nothing_is_unpickled_or_unpacked_without_bound(tmp_path):
    path = tmp_path / "data.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 4)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", np.lib.format.magic(1, 0) + head.getvalue()[8:])
        archive.writestr("y.npy", _bytes_of(Y))
    with pytest.raises(ValueError, match=r"'X' of 35,184,372,088,832 bytes"):
        open_own(path)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 4)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", head.getvalue())
        archive.writestr("y.npy", _bytes_of(Y))
    with pytest.raises(ValueError, match="'X', which ends too early"):
        open_own(path)


def _bytes_of(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@given(st.data())
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_files_end_in_one_message(tmp_path, data):
    file = io.BytesIO()
    np.savez_compressed(file, X=X, y=Y)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "data.npz"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        table = open_own(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert table.num_examples == 6


def test_one_array_of_a_file_is_an_example(tmp_path):
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        np.save(tmp_path / "data" / label / "1.npy", X)
        np.savez(tmp_path / "data" / label / "2.npz", whatever=X + 1)
    table = load_array_folder(tmp_path / "data")
    assert table.example_shape == X.shape
    np.testing.assert_array_equal(table.examples_of(0), [X, X + 1])
    path = tmp_path / "data" / "a" / "2.npz"
    assert array_form(path).shape == X.shape
    np.savez(path, X, X)
    with pytest.raises(ValueError, match="2.npz.*one such array.*Received: 2 arrays"):
        open_array(path)
    np.savez(path, X.astype(str))
    with pytest.raises(ValueError, match="2.npz.*dtype <U"):
        load_array_folder(tmp_path / "data")


def test_heads_are_read_alone(save):
    with opened_npz(save(X=X, y=Y)) as archive:
        assert archive.heads["X"] == ((6, 4), np.dtype(float))
        np.testing.assert_array_equal(archive.read("y"), Y)
