"""What is refused before anything is computed, in the words of the page."""

import numpy as np
import pytest
from PIL import Image

from tfmeta.demo.asked import as_task, check_names, check_photographs


def test_names_are_each_of_their_own_and_on_a_line():
    assert check_names([" cup ", "a\nb", "<b>"]) == ["cup", "a\\nb", "<b>"]
    for names, said in (
        (["a", " "], "Class 2 must have a name. Received: none"),
        ([None, "a"], "Class 1 must have a name"),
        (["cup", "b", "cup "], "Received: 'cup' for class 1 and class 3"),
        # One letter of two code points, and of one.
        (["é", "e\u0301"], "for class 1 and class 2"),
        (["a" * 61], "at most 60 characters. Received: 61"),
    ):
        with pytest.raises(ValueError, match=said):
            check_names(names)


def test_photographs_are_there_readable_and_not_too_large(tmp_path, monkeypatch):
    good, bad, large = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(good)
    bad.write_text("no picture")
    Image.new("1", (6000, 5000)).save(large)
    assert check_photographs("Class 'x'", [good]) == [good]
    for files, said in (
        ([], "Class 'x' must have 1 to 20 photographs. Received: none"),
        ([good] * 21, "Received: 21"),
        ([good, bad], "'b.png' must be a whole, readable file"),
        ([large], "at most 25,000,000 pixels. Received: 'c.png', 6000 x 5000"),
        ([tmp_path / "gone.png"], "'gone.png'"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            check_photographs("Class 'x'", files)
        # Nobody knows the folder of uploads.
        assert str(tmp_path) not in str(caught.value)


def test_a_task_has_the_classes_in_the_order_of_the_page(tmp_path):
    files = [tmp_path / name for name in "abc"]
    task = as_task({"z": files[:1], "a": files[1:]}, tmp_path / "new")
    assert task.class_names == ("z", "a") and task.support == tuple(files)
    assert task.support_labels.tolist() == [0, 1, 1]
    assert task.query == (tmp_path / "new",)
