from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import load
from tfmeta.datasets.storage.table_folder import save_table


@pytest.fixture
def photos(tmp_path):
    """Three classes of 6, 7 and 20 pictures; one picture in two classes."""
    root = tmp_path / "photos"
    for name, count in (("cup", 6), ("[red] fork", 7), ("spoon", 20)):
        (root / name).mkdir(parents=True)
        for i in range(count):
            grey = 20 + i if name == "cup" else 60 + i
            side = 30 + i if name == "spoon" else 16
            Image.new("L", (side, side), grey).save(root / name / f"{i}.png")
    (root / "cup" / "x.png").write_bytes((root / "spoon" / "3.png").read_bytes())
    return root


def lines_of(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_folder_of_pictures(call, photos):
    done = call("datasets", "describe", photos)
    assert (done.code, done.err) == (0, "")
    lines = lines_of(done.out)
    assert lines[0] == f"photos {photos}"
    assert "classes 3" in lines
    assert "examples 34" in lines
    assert "per class smallest 7 ([red] fork), median 7, largest 20 (spoon)" in lines
    assert "shorter side 16 to 49 pixels" in lines
    assert any(line.startswith("stored as 16 x 16 L (13),") for line in lines)
    assert "1 5 3 the number of classes" in lines
    assert "1 15 none 2 classes have fewer than 16 examples" in lines
    place = next(i for i, line in enumerate(lines) if "Warning" in line)
    assert "1 pair of equal examples in different classes" in lines[place]
    assert lines[place + 1] == "cup/x.png = spoon/3.png"
    assert sorted(photos.iterdir()) == sorted(photos.glob("*"))


def test_a_contact_sheet_is_drawn_when_asked(call, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert call("datasets", "describe", "photos").code == 0
    assert set(tmp_path.iterdir()) == before
    done = call("datasets", "describe", "photos", "--contact-sheet", "sheet.png")
    assert done.out.splitlines()[-1] == "contact sheet: sheet.png"
    with Image.open("sheet.png") as sheet:
        assert sheet.format == "PNG"
    again = call("datasets", "describe", "photos", "--contact-sheet", "sheet.png")
    assert "sheet.png must not exist" in again.usage_error
    assert again.out == ""


def test_arrays_tables_and_csv_files(call, tmp_path):
    for name in "ab":
        (tmp_path / "series" / name).mkdir(parents=True)
        for i in range(6):
            series = np.full(5, i + 10.0 * (name == "b"))
            series[0] = np.nan if (name, i) == ("b", 2) else 0
            np.save(tmp_path / "series" / name / f"{i}.npy", series)
    lines = lines_of(call("datasets", "describe", tmp_path / "series").out)
    assert "stored as 5 float64" in lines
    assert "per class 6 each" in lines
    assert lines[-2] == "Warning: 1 example holds NaN or infinity: b/2.npy"
    assert "refuses: data set" in lines[-1] and "at least 6 classes" in lines[-1]

    path = tmp_path / "list.csv"
    path.write_text("path,label\nseries/a/1.npy,x\nseries/b/1.npy,y\n")
    lines = lines_of(call("datasets", "describe", path).out)
    assert lines[0] == f"list {path}"
    assert lines[-2] == "No equal examples."

    glyphs = load("glyphs", split="test").take_classes(range(4)).with_rotations()
    save_table(glyphs, tmp_path / "table")
    lines = lines_of(call("datasets", "describe", tmp_path / "table").out)
    assert "classes 16, 4 without their rotations" in lines
    assert "alphabets 1, of 16 classes" in lines
    assert "5 15 4 the number of classes" in lines


def test_what_the_splits_of_train_allow(call, tmp_path):
    for number in range(20):
        folder = tmp_path / "photos" / f"class{number:02d}"
        folder.mkdir(parents=True)
        for i in range(7 if number else 30):
            Image.new("L", (8 + i, 8), 9 * number + i).save(folder / f"{i}.jpg")
    (tmp_path / "photos" / "README.md").write_text("mine")
    (tmp_path / "photos" / "empty").mkdir()
    done = call("datasets", "describe", tmp_path / "photos")
    assert (done.code, done.err) == (0, "")
    lines = lines_of(done.out)
    assert "train 13 13 none none none 7 (class04)" in lines
    assert "validation 4 4 none none none 7 (class02)" in lines
    assert "test 3 3 none none none 7 (class01)" in lines
    assert lines[-1] == (
        f"tfmeta train --dataset {tmp_path / 'photos'} --size PIXELS: trains a "
        "Prototypical Network on 13-way 1-shot tasks with 5 queries a class, and is "
        "tested on 3-way 1-shot tasks with 6 queries a class"
    )
    assert [line for line in lines if "README.md" in line or line.endswith(": empty")]
    assert "Pictures differ in size: `tfmeta train` takes --size PIXELS." in lines


def test_what_train_has_no_encoder_for(call, tmp_path):
    for number in range(6):
        (tmp_path / "series" / f"c{number}").mkdir(parents=True)
        for i in range(2):
            np.save(
                tmp_path / "series" / f"c{number}" / f"{i}.npy",
                np.full((1, 1, 1, 2), number + i / 9),
            )
    lines = lines_of(call("datasets", "describe", tmp_path / "series").out)
    assert any(line.startswith("test 2 none none none none 2 (c") for line in lines)
    assert "has encoders for pictures, for text and for arrays" in lines[-1]


def test_folders_of_splits(call, tmp_path):
    for place in ("train/a", "train/b", "val/c", "val/d", "test/e", "test/f"):
        (tmp_path / "divided" / place).mkdir(parents=True)
        for i in range(3):
            grey = Image.new("L", (8, 8), 10 * ord(place[-1]) % 200 + i)
            grey.save(tmp_path / "divided" / place / f"{i}.png")
    lines = lines_of(call("datasets", "describe", tmp_path / "divided").out)
    assert "classes 6" in lines and "validation 2 none none none none 3 (c)" in lines


def test_a_split_of_a_named_data_set(call, tmp_path):
    sheet = tmp_path / "glyphs.png"
    done = call(
        *("datasets", "describe", "glyphs", "--split", "test"),
        *("--contact-sheet", sheet),
    )
    lines = lines_of(done.out)
    assert "classes 240" in lines
    assert "alphabets 12, of 20 classes" in lines
    assert "5 15 240 the number of classes" in lines
    assert sheet.is_file()


def test_tfds_by_name(call, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "datasets" / "own")
    from tiny_tfds import TinyPictures

    TinyPictures(data_dir=tmp_path).download_and_prepare()
    done = call(
        *("datasets", "describe", "tfds:tiny_pictures", "--split", "train[:6]"),
        *("--size", 28, "--data-dir", tmp_path),
    )
    lines = lines_of(done.out)
    assert "examples 6" in lines
    assert "stored as 28 x 28 x 3 uint8" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("glyphs", "--size", 4), "--split and --protocol and --seed.*--size 4"),
        (("photos", "--split", "test"), "none of these.*--split test"),
        (("tfds:mnist", "--seed", 1), "--split and --size. Received: --seed 1"),
    ],
)
def test_options_without_effect_are_refused(call, arguments, message):
    import re

    done = call("datasets", "describe", *arguments)
    assert re.search(message, done.usage_error)


def test_what_is_not_there_is_named(call, tmp_path, photos):
    done = call("datasets", "describe", tmp_path / "nowhere")
    assert "glyphs, omniglot" in done.error and "nothing there" in done.error
    done = call("datasets", "describe", photos / "cup" / "x.png")
    assert "a file of another kind" in done.error
    (photos / "cup" / "notes.txt").write_text("hello")
    assert "notes.txt" in call("datasets", "describe", photos).error
    done = call("datasets", "describe", "tfds:mnist", "--data-dir", tmp_path)
    assert "tfds build mnist" in done.error
    done = call("datasets", "describe", photos, "--contact-sheet", "sheet.jpg")
    assert "'--contact-sheet': must name a .png file" in done.usage_error


def test_bad_files_are_named_at_once_or_left_out(call, photos, tmp_path):
    bad = [photos / name / "bad.png" for name in ("cup", "spoon")]
    for path in bad:
        path.write_bytes(b"no picture")
    error = call("datasets", "describe", photos).error
    assert all(str(path) in error for path in bad) and "--skip-bad" in error
    done = call("datasets", "describe", photos, "--skip-bad")
    assert (done.code, done.err) == (0, "")
    assert "Note: 2 of " in done.out and "pictures are left out: " in done.out
    error = call("datasets", "describe", "glyphs", "--skip-bad").usage_error
    assert error.endswith("--protocol and --seed. Received: --skip-bad")
