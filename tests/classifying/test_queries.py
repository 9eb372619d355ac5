"""What is classified, where it is texts or arrays."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from tfmeta.classifying.query_arrays import QueryArrays
from tfmeta.classifying.query_texts import QueryTexts, holds_texts
from tfmeta.datasets.own.csv_columns import CsvColumns

X = np.arange(12.0).reshape(4, 3)
CLASSES = ("a", "b")


def texts_of(path, **options):
    return QueryTexts.found(path, CLASSES, unknown_classes=False, **options)


@pytest.fixture
def texts(tmp_path):
    for label in CLASSES:
        (tmp_path / "checked" / label).mkdir(parents=True)
        (tmp_path / "checked" / label / "1.txt").write_text(f"of\n{label}")
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.txt").write_bytes(b"\xef\xbb\xbfone\ntext")
    return tmp_path


def test_a_folder_has_a_text_a_file(texts):
    checked = texts_of(texts / "checked")
    assert checked.texts == ("of\na", "of\nb")
    assert checked.names == ("a/1.txt", "b/1.txt")
    assert checked.labels.tolist() == [0, 1]
    flat = texts_of(texts / "flat")
    assert (flat.texts, flat.names, flat.labels) == (("one\ntext",), ("1.txt",), None)
    (texts / "checked" / "b").rename(texts / "checked" / "c")
    with pytest.raises(ValueError, match="named as the support's, a, b. Received: c;"):
        texts_of(texts / "checked")
    (texts / "flat" / "2.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="2.txt.*`skip_bad=True`"):
        texts_of(texts / "flat")
    found = texts_of(texts / "flat", skip_bad=True)
    assert found.texts == ("one\ntext",) and "2.txt" in found.notes[0]
    (texts / "flat" / "2.txt").rename(texts / "flat" / "2.png")
    with pytest.raises(ValueError, match="must hold .txt files"):
        texts_of(texts / "flat")


def test_a_file_has_a_text_a_line(texts, monkeypatch):
    path = texts / "flat" / "1.txt"
    assert texts_of(path).texts == texts_of(path).names == ("one", "text")

    def standard_input(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return texts_of(Path("-"))

    assert standard_input("é\r\n\r\n b \n".encode()).texts == ("é", "b")
    with pytest.raises(ValueError, match="standard input must be text in UTF-8"):
        standard_input(b"\xff")
    with pytest.raises(ValueError, match="standard input must hold at least one"):
        standard_input(b" \n")


def test_columns_of_a_csv_file(texts):
    path = texts / "new.csv"
    path.write_text("utterance,intent\nhello,b\n")
    columns = CsvColumns(text_column="utterance", label_column="intent")
    found = texts_of(path, columns=columns)
    assert found.texts == ("hello",) and found.labels.tolist() == [1]
    # Without the column of classes answers are not checked.
    other = CsvColumns(text_column="utterance", label_column="class")
    assert texts_of(path, columns=other).labels is None
    path.write_text("utterance,intent\nhello,z\n")
    with pytest.raises(ValueError, match="column `intent` of .*a, b. Received: z"):
        texts_of(path, columns=columns)


def test_what_holds_texts(texts):
    for name in ("checked", "flat", "flat/1.txt", "new.csv"):
        assert holds_texts(texts / name), name
    assert holds_texts(Path("-"))
    (texts / "flat" / "x.png").write_bytes(b"")
    (texts / "empty").mkdir()
    for name in ("flat", "empty", "a.png", "a.npy"):
        assert not holds_texts(texts / name), name


def arrays_of(path, **options):
    return QueryArrays.found(path, CLASSES, (3,), **options)


def test_one_example_or_several_by_the_number_of_axes(tmp_path):
    np.save(tmp_path / "one.npy", X[0])
    one = arrays_of(tmp_path / "one.npy")
    assert (one.arrays.tolist(), one.names) == ([[0, 1, 2]], ("one.npy",))
    np.save(tmp_path / "some.npy", X)
    some = arrays_of(tmp_path / "some.npy")
    assert some.names == tuple(f"some.npy[{row}]" for row in range(4))
    np.testing.assert_array_equal(some.arrays, X)
    for name, array in (("one.npz", X[0]), ("some.npz", X)):
        np.savez(tmp_path / name, whatever=array)
        assert len(arrays_of(tmp_path / name).arrays) == (1 if "one" in name else 4)
    np.savez(tmp_path / "checked.npz", X=X, y=["b", "a", "b", "a"])
    checked = arrays_of(tmp_path / "checked.npz")
    assert checked.labels.tolist() == [1, 0, 1, 0]
    for label in CLASSES:
        (tmp_path / "folder" / label).mkdir(parents=True)
        np.save(tmp_path / "folder" / label / "1.npy", X[1])
    folder = arrays_of(tmp_path / "folder")
    assert (folder.labels.tolist(), folder.names[1]) == ([0, 1], "b/1.npy")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"shape \(3,\), one example.*several. Received: \(4,\)"),
        (np.zeros((2, 4)), r"Received: \(2, 4\)"),
        (np.float64(1), r"Received: \(\)"),
        (np.zeros((1, 2, 3)), r"Received: \(1, 2, 3\)"),
        (np.array([1, np.nan, 2]), "finite numbers"),
        (np.array(["a", "b", "c"]), "dtype <U1"),
        (np.zeros((0, 3)), "at least one example"),
    ],
)
def test_other_arrays(tmp_path, array, message):
    np.save(tmp_path / "new.npy", array)
    with pytest.raises(ValueError, match=f"(?s)new.npy.*{message}"):
        arrays_of(tmp_path / "new.npy")


def test_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing is there"):
        arrays_of(tmp_path / "new.npy")
    (tmp_path / "new.txt").write_text("1 2 3")
    with pytest.raises(ValueError, match="a .npy or .npz file"):
        arrays_of(tmp_path / "new.txt")
    np.savez(tmp_path / "new.npz", X=X, y=["a", "z", "a", "a"])
    with pytest.raises(ValueError, match="a, b. Received: z"):
        arrays_of(tmp_path / "new.npz")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "1.npy", X[0])
    np.save(tmp_path / "folder" / "2.npy", np.full(3, np.inf))
    with pytest.raises(ValueError, match="2.npy.*NaN or infinite.*skip_bad"):
        arrays_of(tmp_path / "folder")
    found = arrays_of(tmp_path / "folder", skip_bad=True)
    assert found.names == ("1.npy",) and "2.npy" in found.notes[0]
    np.save(tmp_path / "folder" / "2.npy", X)
    with pytest.raises(ValueError, match=r"2.npy.*Received: \(4, 3\)"):
        arrays_of(tmp_path / "folder")
