"""Folders of classes as people have them."""

import pytest
from PIL import Image

from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.given_splits import given_splits, refuse_given_splits
from tfmeta.datasets.own.picture_folder import load_picture_folder


def fill(root, *places):
    for place in places:
        path = root / place
        if place.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".png", ".jpg"):
            Image.new("L", (4, 4), 9).save(path)
        else:
            path.write_text("hello")
    return root


@pytest.mark.parametrize(
    ("besides", "noted"),
    [
        (["README.md"], ["README.md"]),
        (["labels.csv", "notes.txt", "LICENSE"], ["LICENSE, labels.csv, notes.txt"]),
        ([".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/x.png"], []),
        (["cup/.DS_Store", "cup/Thumbs.db", "cup/desktop.ini"], []),
        (["mug/"], ["mug"]),
        (["mug/.DS_Store", "README.md"], ["README.md", "mug"]),
    ],
)
def test_what_lies_beside_the_classes_is_passed_over(tmp_path, besides, noted):
    fill(tmp_path, "cup/1.png", "fork/1.JPG", "fork/2.png", *besides)
    files = list_class_files(tmp_path)
    assert (files.class_names, files.class_sizes) == (("cup", "fork"), (1, 2))
    assert [note.rpartition(": ")[2] for note in files.notes] == noted
    assert load_picture_folder(tmp_path, size=4).class_names == ("cup", "fork")


def test_many_files_beside_are_counted(tmp_path):
    fill(tmp_path, "cup/1.png", *(f"{n}.txt" for n in range(9)))
    (note,) = list_class_files(tmp_path).notes
    assert note.endswith("0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more")


@pytest.mark.parametrize("example", ["1.png", "2.JPG", "3.npy"])
def test_an_example_without_a_class_is_not_passed_over(tmp_path, example):
    fill(tmp_path, "cup/1.png", "README.md", example)
    with pytest.raises(ValueError, match=f"1 sub-folders and 2 files.*'{example}'"):
        list_class_files(tmp_path)


def test_folders_of_classes_are_groups(tmp_path):
    fill(
        *(tmp_path, "birds/robin/1.png", "birds/wren/1.png", "birds/list.csv"),
        *("fish/eel/1.png", "fish/wren/2.png", "fish/cod/", "empty/", "README.md"),
    )
    table = load_picture_folder(tmp_path)
    names = ("birds/robin", "birds/wren", "fish/eel", "fish/wren")
    assert table.class_names == names
    assert table.groups == ("birds", "birds", "fish", "fish")
    notes = list_class_files(tmp_path).notes
    assert [note.rpartition(": ")[2] for note in notes] == [
        "README.md, birds/list.csv",
        "empty, fish/cod",
    ]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["cup/1.png", "birds/wren/1.png"], "'birds' with sub-folders and 'cup'"),
        (["a/b/1.png", "a/2.png"], "'b', which is no file"),
        (["a/b/c/1.png", "a/d/c/1.png"], "'c', which is no file"),
        (["a/b/1.png", "a/d/", "a/3.png"], "which is no file"),
    ],
)
def test_levels_that_do_not_fit(tmp_path, places, message):
    with pytest.raises(ValueError, match=message):
        list_class_files(fill(tmp_path, *places))


def test_given_splits_are_no_groups(tmp_path):
    fill(
        *(tmp_path, "train/a/1.png", "train/b/1.png", "test/c/1.png", "val/d/1.png"),
        *("README.md", "train/labels.csv"),
    )
    assert list(given_splits(tmp_path)) == ["test", "train", "validation"]
    with pytest.raises(ValueError, match="the splits test, train, validation"):
        refuse_given_splits(tmp_path)
