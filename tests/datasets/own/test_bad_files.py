"""Bad files, lines and class folders are named all at once, or left out."""

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.own.csv_file import list_csv
from tfmeta.datasets.own.open_own import list_own_files, open_own
from tfmeta.datasets.own.own_split import load_own_split
from tfmeta.datasets.reading.unreadable import MOST_NAMED


def draw(path, level=200):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((9, 9), level, np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path):
    """Six classes of four pictures, three of which are none; one is cut short."""
    folder = tmp_path / "photos"
    for name in "abcdef":
        for number in range(4):
            draw(folder / name / f"{number}.png", 40 * number)
    for bad in ("a/1.png", "c/0.png"):
        (folder / bad).write_bytes(b"no picture")
    whole = (folder / "e" / "3.png").read_bytes()
    (folder / "e" / "3.png").write_bytes(whole[:-20])
    return folder


BAD = ("a/1.png", "c/0.png", "e/3.png")


@pytest.mark.parametrize(
    "read",
    [open_own, lambda path: load_own_split(path, "train")],
    ids=["open_own", "load_own_split"],
)
def test_all_that_cannot_be_read_are_named(photos, read):
    with pytest.raises(ValueError, match="each of 24 pictures must be a") as raised:
        read(photos)
    said = str(raised.value)
    assert "3 that are not" in said and "`skip_bad=True` leaves them out" in said
    assert all(str(photos / bad) in said for bad in BAD)


def test_only_so_many_are_named(photos):
    for number in range(30):
        (photos / "f" / f"x{number}.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=f"and {33 - MOST_NAMED} more") as raised:
        open_own(photos)
    assert str(raised.value).count(".png'") == MOST_NAMED


def test_those_are_left_out_on_request(photos):
    files = list_own_files(photos, skip_bad=True)
    assert len(files.files) == 21 and len(files.class_names) == 6
    (note,) = files.notes
    assert note.startswith("3 of 24 pictures are left out: ")
    splits = [
        load_own_split(photos, split, skip_bad=True)
        for split in ("train", "validation", "test")
    ]
    assert sum(table.num_examples for table in splits) == 21
    assert sum(table.num_classes for table in splits) == 6


def test_a_class_is_not_left_out(photos):
    for number in range(4):
        (photos / "b" / f"{number}.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="Received: none in b; remove such a class"):
        list_own_files(photos, skip_bad=True)


def test_arrays_likewise(tmp_path):
    for name in "ab":
        (tmp_path / "s" / name).mkdir(parents=True)
        for number in range(3):
            np.save(tmp_path / "s" / name / f"{number}.npy", np.ones(3))
    for name in "ab":
        (tmp_path / "s" / name / "1.npy").write_bytes(b"x")
    with pytest.raises(ValueError, match="each of 6 arrays must be a whole .npy"):
        open_own(tmp_path / "s")
    assert len(list_own_files(tmp_path / "s", skip_bad=True).files) == 4


LINES = (
    *("path,label", "a.png,x", "nowhere.png,x", "b.png,", "a.png,y", "b.png,y,z"),
    *("../out.png,x", "b.png,y"),
)
WRONG = {
    3: "must lead to a file",
    4: "'label' must not be empty",
    5: "listed once",
    6: "must be 2 fields",
    7: "must lie in the folder",
}


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / "table"
    for name in "ab":
        draw(folder / f"{name}.png")
    draw(tmp_path / "out.png")
    (folder / "list.csv").write_text("\n".join(LINES))
    return folder / "list.csv"


def test_all_lines_that_are_wrong_are_named(table):
    with pytest.raises(ValueError, match="5 problems, which `skip_bad=True`") as raised:
        list_csv(table)
    for line, message in WRONG.items():
        assert f"line {line}: " in str(raised.value) and message in str(raised.value)


def test_lines_are_left_out_on_request(table):
    files = list_csv(table, skip_bad=True)
    assert [file.name for file in files.files] == ["a.png", "b.png"]
    assert files.labels == ("x", "y")
    (note,) = files.notes
    assert note.startswith(f"5 entries of {table} are left out: ")
    assert note.endswith(" and 2 more")


def test_class_folders_likewise(photos):
    for name in "bd":
        (photos / name / "deeper").mkdir()
    with pytest.raises(ValueError, match="2 problems, which `skip_bad=True`") as raised:
        list_own_files(photos)
    assert all(repr(str(photos / name)) in str(raised.value) for name in "bd")
    files = list_own_files(photos, skip_bad=True)
    assert files.class_names == ("a", "c", "e", "f")
    assert files.notes[0].startswith(f"2 entries of {photos} are left out: ")
