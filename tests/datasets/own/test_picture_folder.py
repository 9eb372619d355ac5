import unicodedata

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.own.picture_folder import list_pictures, load_picture_folder


def save(path, value, size=(8, 8), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "support"
    save(root / "ب" / "2.png", 20)
    save(root / "ب" / "1.jpg", 10)
    save(root / "alif" / "x.bmp", (30, 30, 30), (5, 9), "RGB")
    return root


def test_one_class_for_each_sub_folder(folder):
    table = load_picture_folder(folder, size=(4, 6), channels=1)
    assert table.name == "support"
    assert table.class_names == ("alif", "ب")
    assert table.class_sizes.tolist() == [1, 2]
    assert table.example_shape == (4, 6, 1)
    assert table.examples.dtype == np.uint8
    # Sorted by file name within a class.
    assert table.examples[:, 0, 0, 0].tolist() == [30, 10, 20]


def test_colour_name_and_inversion(folder):
    plain = load_picture_folder(folder, size=(4, 4), channels=3, name="mine")
    inverted = load_picture_folder(folder, size=(4, 4), channels=3, invert=True)
    assert plain.name == "mine"
    assert plain.example_shape == (4, 4, 3)
    np.testing.assert_array_equal(inverted.examples, 255 - plain.examples)


def test_clutter_is_ignored(folder):
    for place in (folder, folder / "alif"):
        for name in (".DS_Store", "Thumbs.db", ".hidden.png", "desktop.ini"):
            (place / name).write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / "__MACOSX").mkdir()
    assert load_picture_folder(folder, size=(4, 4)).class_names == ("alif", "ب")


def test_class_names_are_composed(tmp_path):
    save(tmp_path / unicodedata.normalize("NFD", "été") / "1.png", 0)
    table = load_picture_folder(tmp_path, size=(4, 4))
    assert table.class_names == (unicodedata.normalize("NFC", "été"),)


def test_names_beyond_text_are_refused(tmp_path):
    try:
        save(tmp_path / "bad\udcff" / "1.png", 0)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes valid text alone")
    with pytest.raises(ValueError, match="valid text"):
        load_picture_folder(tmp_path, size=(4, 4))


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.*nothing there"):
        load_picture_folder(tmp_path / "nowhere", size=(4, 4))
    with pytest.raises(FileNotFoundError, match="a file"):
        load_picture_folder(save(tmp_path / "one.png", 0), size=(4, 4))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list_pictures(tmp_path / "nowhere")


def test_empty_folders_are_named(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty.*0 sub-folders"):
        load_picture_folder(tmp_path / "empty", size=(4, 4))
    with pytest.raises(ValueError, match="empty.*Received: 0"):
        list_pictures(tmp_path / "empty")
    (tmp_path / "empty" / "ta").mkdir()
    (tmp_path / "empty" / "ta" / ".DS_Store").touch()
    with pytest.raises(ValueError, match="at least one picture .*empty/ta, without"):
        load_picture_folder(tmp_path / "empty", size=(4, 4))


def test_a_flat_folder_is_no_folder_of_classes(tmp_path):
    save(tmp_path / "1.png", 0)
    save(tmp_path / "a" / "2.png", 0)
    with pytest.raises(ValueError, match="1 sub-folders and 1 files.*'1.png'"):
        load_picture_folder(tmp_path, size=(4, 4))


def test_what_is_no_picture_is_named(folder):
    (folder / "alif" / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="notes.txt"):
        load_picture_folder(folder, size=(4, 4))


def test_folders_inside_class_folders_are_named(folder):
    (folder / "alif" / "more").mkdir()
    with pytest.raises(ValueError, match="'more', which is no file"):
        load_picture_folder(folder, size=(4, 4))


def test_form_is_checked_before_reading(folder):
    with pytest.raises(ValueError, match="`size`"):
        load_picture_folder(folder, size=(4, 0))
    with pytest.raises(ValueError, match="`channels`"):
        load_picture_folder(folder, size=(4, 4), channels=2)


def test_list_pictures_is_sorted(tmp_path):
    for name in ("b.png", "a.png", "ü.png", ".hidden"):
        (tmp_path / name).touch()
    assert [p.name for p in list_pictures(tmp_path)] == ["a.png", "b.png", "ü.png"]


def save_array(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_form_as_stored(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    save_array(tmp_path / "a" / "1.png", grey)
    save_array(tmp_path / "b" / "1.png", grey + 1)
    table = load_picture_folder(tmp_path)
    assert table.examples.dtype == np.uint8
    np.testing.assert_array_equal(table.examples[..., 0], [grey, grey + 1])
    save_array(tmp_path / "b" / "2.png", np.dstack([grey] * 3))
    assert load_picture_folder(tmp_path).example_shape == (3, 4, 3)


def test_sixteen_bits_stay_sixteen(tmp_path):
    wide = np.arange(12, dtype=np.uint16).reshape(3, 4) + 40_000
    grey = np.full((3, 4), 200, np.uint8)
    save_array(tmp_path / "a" / "1.png", wide)
    save_array(tmp_path / "b" / "1.png", grey)
    table = load_picture_folder(tmp_path)
    assert table.examples.dtype == np.uint16
    np.testing.assert_array_equal(table.examples[..., 0], [wide, grey * 257.0])
    inverted = load_picture_folder(tmp_path, invert=True)
    np.testing.assert_array_equal(inverted.examples, 65535 - table.examples)
    eight = load_picture_folder(tmp_path, dtype="uint8")
    np.testing.assert_array_equal(eight.examples[0, ..., 0], wide // 256)
    with pytest.raises(ValueError, match="`dtype`.*'float32'"):
        load_picture_folder(tmp_path, dtype="float32")


def test_varying_sizes_need_one(folder):
    with pytest.raises(ValueError, match="`size`.*2 sizes.*9 x 5.*8 x 8"):
        load_picture_folder(folder)
    assert load_picture_folder(folder, size=6).example_shape == (6, 6, 3)


def test_progress(folder):
    done = []
    load_picture_folder(folder, size=4, on_progress=lambda *n: done.append(n))
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_names_that_differ_in_their_composition_are_refused(tmp_path):
    for form in ("NFC", "NFD"):
        save(tmp_path / unicodedata.normalize(form, "été") / "1.png", 0)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system composes names itself")
    with pytest.raises(ValueError, match="must differ in their composed form"):
        load_picture_folder(tmp_path, size=4)
