import numpy as np
import pytest

from tfmeta.datasets.own.tfds_by_name import load_tfds


def test_pictures_classes_and_groups(tiny):
    folder, module = tiny
    table = load_tfds("tiny_pictures", data_dir=folder, group="family")
    assert table.name == "tfds:tiny_pictures"
    assert table.class_names == ("owl", "robin", "wren")
    assert table.groups == ("large", "small", "small")
    assert table.group_level == "family"
    assert table.class_sizes.tolist() == [3, 3, 3]
    assert table.example_shape == (8, 8, 3)
    assert table.examples.dtype == np.uint8
    for name, remainder in (("wren", 0), ("robin", 1), ("owl", 2)):
        expected = {module.picture(n).tobytes() for n in range(9) if n % 3 == remainder}
        found = table.examples_of(table.class_names.index(name))
        assert {one.tobytes() for one in found} == expected
    assert "split 'train'" in table.description


def test_splits_are_those_of_tfds(tiny):
    folder, _ = tiny
    sizes = {
        split: load_tfds("tiny_pictures", split=split, data_dir=folder).num_examples
        for split in ("train", "test", "train+test", "train[:4]")
    }
    assert sizes == {"train": 9, "test": 3, "train+test": 12, "train[:4]": 4}


def test_classes_without_examples_are_left_out(tiny):
    folder, _ = tiny
    table = load_tfds("tiny_pictures", split="train[:1]", data_dir=folder)
    assert table.num_classes == table.num_examples == 1


def test_varying_sizes_need_one(tiny):
    folder, _ = tiny
    with pytest.raises(ValueError, match="one shape; give `size`"):
        load_tfds("tiny_mixed_sizes", data_dir=folder)
    table = load_tfds("tiny_mixed_sizes", data_dir=folder, size=(6, 7))
    assert table.example_shape == (6, 7, 1)
    assert table.examples.dtype == np.uint16
    values = [257 * n + 3 for n in range(9)]
    assert sorted(table.examples[:, 0, 0, 0].tolist()) == values
    assert (table.examples == table.examples[:, :1, :1]).all()
    assert table.class_names == ("0", "1")
    eight = load_tfds(
        "tiny_mixed_sizes", data_dir=folder, size=(4, 4), dtype="uint8", channels=3
    )
    assert eight.example_shape == (4, 4, 3)
    assert sorted(set(eight.examples.ravel().tolist())) == list(range(9))


def test_text(tiny):
    folder, _ = tiny
    table = load_tfds("tiny_text", data_dir=folder, split="test")
    assert table.examples.dtype == object
    assert table.examples.shape == (3,)
    assert set(table.examples_of(table.class_names.index("tell"))) == {
        "«9» où?",
        "«11» où?",
    }


def test_tensors(tiny):
    folder, _ = tiny
    table = load_tfds("tiny_series", data_dir=folder)
    assert table.example_shape == (5, 2)
    assert table.examples.dtype == np.float32
    assert sorted(table.examples_of(1)[:, 0, 0].tolist()) == [1, 4, 7]


def test_what_is_meant_can_be_said(tiny):
    folder, _ = tiny
    table = load_tfds("tiny_two_tensors", data_dir=folder, feature="left", label="b")
    assert table.num_classes == 3
    assert table.examples.dtype == np.float64
    for wrong, message in (
        ({}, "`label`.*one of 'a', 'b'.*label=None.*'left': Tensor"),
        ({"label": "a"}, "`feature`.*one of 'left', 'right'.*feature=None"),
        ({"label": "left"}, "`label`.*one of 'a', 'b'.*'left'"),
        ({"label": "a", "feature": "b"}, "`feature`.*'left', 'right'.*feature='b'"),
        ({"label": "a", "feature": "left", "group": "a"}, "`group`.*one of 'b'"),
        ({"label": "a", "feature": "left", "group": "b"}, "one value for each class"),
        ({"label": "a", "feature": "right"}, r"one shape\. Received: \(\d,\) and"),
    ):
        with pytest.raises(ValueError, match=message):
            load_tfds("tiny_two_tensors", data_dir=folder, **wrong)


def test_features_are_named_when_none_fits(tiny):
    folder, _ = tiny
    with pytest.raises(ValueError, match="`label`.*there is none.*'x': Tensor"):
        load_tfds("tiny_unlabelled", data_dir=folder)
    with pytest.raises(ValueError, match="must have a class. Received: 5 with a neg"):
        load_tfds("tiny_partly_labelled", data_dir=folder)


def test_unknown_names_and_splits(tiny):
    folder, _ = tiny
    with pytest.raises(ValueError, match="such as.*mnist.*Received: 'mnits'"):
        load_tfds("mnits", data_dir=folder)
    with pytest.raises(ValueError, match="'name:version'.*'mnist:9.9.9'"):
        load_tfds("mnist:9.9.9", data_dir=folder)
    with pytest.raises(ValueError, match="'train', 'test'.*Received: 'val'"):
        load_tfds("tiny_text", data_dir=folder, split="val")
    with pytest.raises(ValueError, match="`split`.*with 0"):
        load_tfds("tiny_text", data_dir=folder, split="train[:0]")
    with pytest.raises(ValueError, match="`size`.*holds text"):
        load_tfds("tiny_text", data_dir=folder, size=(4, 4))


def test_nothing_is_downloaded_unasked(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be prepared.*tfds build mnist"):
        load_tfds("mnist", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_preparing_when_asked(tiny, tmp_path):
    table = load_tfds("tiny_series", data_dir=tmp_path, download=True)
    assert table.num_examples == 9
    assert load_tfds("tiny_series", data_dir=tmp_path).num_examples == 9


def test_damaged_data_is_named(tiny, tmp_path):
    load_tfds("tiny_series", data_dir=tmp_path, download=True)
    (file,) = tmp_path.rglob("*train.tfrecord*")
    file.write_bytes(file.read_bytes()[:40] + b"x" * 40)
    with pytest.raises(ValueError, match="delete that folder and prepare it again"):
        load_tfds("tiny_series", data_dir=tmp_path)
