"""The one door to labelled examples: pictures, texts and arrays."""

import numpy as np
import pytest
from PIL import Image

from tfmeta.classifying.labelled_examples import examples_of_class, labelled_examples

X = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def folders(tmp_path):
    """Two classes of two files each: of pictures, texts and arrays."""
    for label, number in (("a", 0), ("a", 1), ("b", 2), ("b", 3)):
        for kind in ("pictures", "texts", "arrays"):
            (tmp_path / kind / label).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(
            tmp_path / "pictures" / label / f"{number}.png"
        )
        (tmp_path / "texts" / label / f"{number}.txt").write_text(f"text {number}\n")
        np.save(tmp_path / "arrays" / label / f"{number}.npy", X[number])
    return tmp_path


def test_folders(folders):
    pictures = labelled_examples(folders / "pictures")
    assert pictures.kind == "pictures"
    assert [path.name for path in pictures.examples] == [f"{n}.png" for n in range(4)]
    assert pictures.names == ("a/0.png", "a/1.png", "b/2.png", "b/3.png")
    texts = labelled_examples(folders / "texts")
    assert (texts.kind, texts.names[3]) == ("texts", "b/3.txt")
    assert texts.examples == tuple(f"text {n}" for n in range(4))
    arrays = labelled_examples(folders / "arrays")
    assert (arrays.kind, arrays.names[2]) == ("arrays", "b/2.npy")
    np.testing.assert_array_equal(arrays.examples, X)
    for found in (pictures, texts, arrays):
        assert found.labels == ("a", "a", "b", "b")
        assert found.class_names == ("a", "b")
        assert dict(found.class_sizes) == {"a": 2, "b": 2}
        some = found.at([3, 0])
        assert some.labels == ("b", "a") and some.names[0] == found.names[3]
        assert np.all(some.examples[1] == found.examples[0])
        assert [len(rows) for rows in found.by_class.values()] == [2, 2]


def test_single_files(folders):
    np.savez(folders / "data.npz", X=X, y=[10, 9, 10, 9])
    arrays = labelled_examples(folders / "data.npz")
    assert arrays.labels == ("10", "9", "10", "9")
    assert arrays.names == tuple(f"data.npz[{row}]" for row in range(4))
    path = folders / "list.csv"
    path.write_text('utterance,intent\n"two\nlines",x\n\nhello,y\n')
    columns = {"text_column": "utterance", "label_column": "intent"}
    texts = labelled_examples(path, **columns)
    assert texts.kind == "texts"
    assert texts.examples == ("two\nlines", "hello")
    assert (texts.labels, texts.names) == (("x", "y"), ("line 3", "line 5"))
    path.write_text("file;label\ntexts/a/0.txt;x\narrays/../texts/b/2.txt;y\n")
    listed = labelled_examples(path, path_column="file")
    assert (listed.kind, listed.examples) == ("texts", ("text 0", "text 2"))
    assert listed.names[0] == "texts/a/0.txt"


def test_without_what_cannot_be_read(folders):
    pictures = labelled_examples(folders / "pictures")
    left = pictures.without({pictures.examples[1]})
    assert left.names == ("a/0.png", "b/2.png", "b/3.png")
    with pytest.raises(ValueError, match="none of 'b'"):
        pictures.without(set(pictures.examples[2:]))
    # Pictures are not opened, texts and arrays are.
    (folders / "pictures" / "a" / "1.png").write_bytes(b"none")
    assert len(labelled_examples(folders / "pictures").labels) == 4
    (folders / "texts" / "a" / "1.txt").write_bytes(b"\xff")
    np.save(folders / "arrays" / "b" / "2.npy", X[2] * np.nan)
    for kind, name in (("texts", "a/1.txt"), ("arrays", "b/2.npy")):
        with pytest.raises(ValueError, match=f"{name}.*`skip_bad=True`"):
            labelled_examples(folders / kind)
        found = labelled_examples(folders / kind, skip_bad=True)
        assert len(found.labels) == 3 and name in found.notes[0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("texts", {"text_column": "x"}, "`text_column` must be left out for"),
        ("texts/a/0.txt", {}, "a file of another kind"),
        ("nothing", {}, "nothing there"),
        ("texts/a", {}, "one sub-folder of examples for each class"),
    ],
)
def test_what_is_none(folders, name, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        labelled_examples(folders / name, **options)


def test_examples_of_one_class(folders):
    pictures = examples_of_class(
        "cup", [folders / "pictures" / "a", folders / "pictures" / "b" / "2.png"]
    )
    assert (pictures.kind, pictures.labels) == ("pictures", ("cup",) * 3)
    (folders / "lines.txt").write_text("one\n\n two\n")
    texts = examples_of_class("cup", [folders / "lines.txt", folders / "texts" / "a"])
    assert texts.examples == ("one", "two", "text 0", "text 1")
    with pytest.raises(ValueError, match="pictures alone, or files of texts alone"):
        examples_of_class("cup", [folders / "lines.txt", folders / "pictures" / "a"])
