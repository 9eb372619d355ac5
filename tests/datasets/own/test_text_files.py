"""Folders of texts, one file each."""

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import load
from tfmeta.datasets.describe import describe_files
from tfmeta.datasets.own import load_text_folder, open_own
from tfmeta.datasets.own.open_own import list_own_files
from tfmeta.datasets.own.text_files import MAX_BYTES, read_text_file


@pytest.fixture
def letters(tmp_path):
    """Three classes of three texts, one of them with a byte order mark."""
    root = tmp_path / "letters"
    for label in ("claim", "order", "thanks"):
        (root / label).mkdir(parents=True)
        for number in range(3):
            text = f"{label} {number},\nsecond line é\n"
            start = b"\xef\xbb\xbf" if number == 1 else b""
            (root / label / f"{number}.txt").write_bytes(start + text.encode())
    (root / "README.txt").write_text("about these")
    return root


def test_a_file_is_a_text(letters):
    done = []
    table = load_text_folder(letters, on_progress=lambda *n: done.append(n))
    assert table.class_names == ("claim", "order", "thanks")
    assert table.example_shape == () and table.examples.dtype == object
    assert list(table.examples_of(1)) == [
        f"order {number},\nsecond line é" for number in range(3)
    ]
    assert done == [(n, 9) for n in range(1, 10)]
    assert list(open_own(letters).examples) == list(table.examples)
    (note,) = list_own_files(letters).notes
    assert "README.txt" in note
    with pytest.raises(ValueError, match="`size` must be left out for texts"):
        open_own(letters, size=28)


def test_groups_and_splits(letters, tmp_path):
    for group in ("home", "work"):
        (tmp_path / "groups" / group).mkdir(parents=True)
        for label in ("claim", "order", "thanks"):
            (letters / label).rename(tmp_path / "groups" / group / label)
            (letters / label).mkdir()
            (letters / label / "1.txt").write_text(f"{label} at {group}")
    table = open_own(tmp_path / "groups")
    assert table.groups == ("home",) * 3 + ("work",) * 3
    assert table.class_names[0] == "home/claim"
    tables = [
        load(tmp_path / "groups", split=split)
        for split in ("train", "validation", "test")
    ]
    assert sum(t.num_classes for t in tables) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfet\0e\0x\0t\0", "utf-8"),
        (b" \n \t", "an empty one"),
        (b"x" * (MAX_BYTES + 1), "more"),
    ],
    ids=("utf16", "empty", "large"),
)
def test_what_is_no_text(letters, content, reason):
    bad = letters / "order" / "bad.txt"
    bad.write_bytes(content)
    with pytest.raises(ValueError, match=f"{bad}' must be a text in UTF-8.*{reason}"):
        read_text_file(bad)
    with pytest.raises(ValueError, match=f"bad.txt.*{reason}.*`skip_bad=True`"):
        open_own(letters)
    files = list_own_files(letters, skip_bad=True)
    assert len(files.files) == 9 and "1 of 10 texts is left out" in files.notes[-1]


def test_texts_are_not_mixed_with_others(letters):
    np.save(letters / "order" / "a.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"alone.*1 .npy and .npz files.*9 others"):
        open_own(letters)
    (letters / "order" / "a.npy").rename(letters / "order" / "a.md")
    with pytest.raises(ValueError, match="alone.*9 .txt files.*1 others.*a.md"):
        open_own(letters)
    # Beside pictures a text is a picture that cannot be read, and may be left out.
    (letters / "order" / "a.md").unlink()
    for label in ("claim", "order", "thanks"):
        Image.new("L", (4, 4)).save(letters / label / "a.png")
    with pytest.raises(ValueError, match="each of 12 pictures.*9 that are not"):
        open_own(letters)
    assert len(list_own_files(letters, skip_bad=True).files) == 3


def test_they_are_described(letters):
    (letters / "claim" / "again.txt").write_text("order 0,\nsecond line é")
    facts = describe_files(list_own_files(letters))
    assert facts.forms == (("text", 10),)
    assert facts.across.named == (("claim/again.txt", "order/0.txt"),)
