import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.datasets.class_splits import RATIOS
from tfmeta.datasets.hash_splits import assign_by_hash
from tfmeta.datasets.own import load_own_split, open_own
from tfmeta.datasets.own.given_splits import given_splits
from tfmeta.datasets.own.own_split import split_own
from tfmeta.datasets.storage.table_folder import save_table


@pytest.fixture
def pictures(tmp_path):
    """A folder of ten classes, two pictures each, the last one in colour."""
    root = tmp_path / "photos"
    for number in range(10):
        folder = root / f"class{number}"
        folder.mkdir(parents=True)
        for i in range(2):
            grey = Image.new("L", (6, 4), 20 * number + i)
            picture = grey.convert("RGB") if number == 9 else grey
            picture.save(folder / f"{i}.png")
    return root


@pytest.fixture
def arrays(tmp_path):
    root = tmp_path / "series"
    for number in range(6):
        (root / f"class{number}").mkdir(parents=True)
        for i in range(3):
            path = root / f"class{number}" / f"{i}.npy"
            np.save(path, np.full(5, number + i / 10))
    return root


@pytest.fixture
def listed(pictures):
    lines = ["path,label"]
    lines += [f"photos/class{n}/{i}.png,class{n}" for n in range(10) for i in range(2)]
    path = pictures.parent / "photos.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def prepared(tmp_path):
    table = ClassTable(
        name="prepared",
        examples=np.arange(24, dtype=np.uint8).reshape(12, 2),
        offsets=np.arange(0, 13, 2),
        class_names=tuple("abcdef"),
        groups=tuple("xxyyzz"),
    )
    save_table(table, tmp_path / "table")
    return tmp_path / "table"


def same(a, b):
    assert a.class_names == b.class_names
    assert a.groups == b.groups
    assert a.examples.dtype == b.examples.dtype
    np.testing.assert_array_equal(a.offsets, b.offsets)
    np.testing.assert_array_equal(a.examples, b.examples)


def test_a_folder_of_pictures(pictures):
    table = open_own(pictures)
    assert table.num_classes == 10
    assert table.example_shape == (4, 6, 3)
    assert table.examples[:, 0, 0, 0].tolist() == [
        20 * n + i for n in range(10) for i in range(2)
    ]
    form = open_own(str(pictures), size=8, channels=1, dtype="uint16")
    assert (form.example_shape, form.examples.dtype) == ((8, 8, 1), np.uint16)


def test_a_folder_of_arrays(arrays):
    table = open_own(arrays)
    assert (table.num_classes, table.example_shape) == (6, (5,))
    assert table.examples.dtype == np.float64
    with pytest.raises(ValueError, match="must be left out for .npy files"):
        open_own(arrays, size=4)


def test_a_csv_file(listed, pictures):
    same(open_own(listed), open_own(pictures))
    text = listed.read_text().replace(",", "\t")
    listed.with_suffix(".tsv").write_text(text)
    same(open_own(listed.with_suffix(".tsv")), open_own(pictures))


def test_a_prepared_table(prepared):
    table = open_own(prepared)
    assert table.name == "prepared"
    assert table.examples[:, 0].tolist() == list(range(0, 24, 2))
    with pytest.raises(ValueError, match="must be left out for a prepared table"):
        open_own(prepared, channels=1)


def test_tfds(tiny):
    folder, _ = tiny
    table = open_own("tfds:tiny_pictures", data_dir=folder, size=(4, 4))
    assert table.example_shape == (4, 4, 3)
    test = open_own("tfds:tiny_text", data_dir=folder, tfds_split="test")
    assert test.num_examples == 3


def test_what_is_none_of_these(tmp_path):
    with pytest.raises(FileNotFoundError, match="tfds:NAME.*nothing there"):
        open_own(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="tfds:NAME.*a file of another kind"):
        open_own(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="0 sub-folders and 1 files"):
        open_own(tmp_path)


@pytest.mark.parametrize("kind", ["pictures", "arrays", "listed", "prepared"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_split_is_that_of_the_whole(kind, seed, request):
    path = request.getfixturevalue(kind)
    whole = open_own(path)
    assigned = assign_by_hash(whole.class_names, seed=seed)
    done = []
    for split in RATIOS:
        part = load_own_split(
            path, split, seed=seed, on_progress=lambda *n: done.append(n)
        )
        chosen = [c for c, found in enumerate(assigned) if found == split]
        same(part, whole.take_classes(chosen))
        assert part.origins == whole.take_classes(chosen).origins
        if kind != "prepared":
            assert done[-1] == (part.num_examples, part.num_examples)


def test_other_ratios_and_groups(pictures, prepared, listed, tiny):
    ratios = {"mine": 0.1, "yours": 0.9}
    parts = [load_own_split(pictures, s, ratios=ratios) for s in ratios]
    assert sum(part.num_classes for part in parts) == 10
    parts = [load_own_split(prepared, s, by_group=True) for s in RATIOS]
    assert sorted(len(set(part.groups)) for part in parts) == [1, 1, 1]
    assert sorted(c for part in parts for c in part.class_names) == [*"abcdef"]
    with pytest.raises(ValueError, match="must have groups when `by_group`"):
        load_own_split(listed, "train", by_group=True)
    folder, _ = tiny
    ratios = {"a": 0.5, "b": 0.5}
    part = load_own_split("tfds:tiny_series", "a", ratios=ratios, data_dir=folder)
    assert part.num_classes in (1, 2)
    with pytest.raises(ValueError, match=r"`split`.*\['a', 'b'\].*'train'"):
        load_own_split(pictures, "train", ratios=ratios)
    with pytest.raises(ValueError, match="3 splits.*Received: 2 classes"):
        shutil.move(pictures / "class0", pictures.parent / "two" / "class0")
        shutil.move(pictures / "class1", pictures.parent / "two" / "class1")
        load_own_split(pictures.parent / "two", "train")


@pytest.mark.parametrize("kind", ["pictures", "listed", "prepared"])
def test_splits_that_are_kept(kind, request):
    path = request.getfixturevalue(kind)
    whole = open_own(path)
    first, second, *others = whole.origins
    kept = {"train": [first, "gone/away"], "validation": [second]}
    parts = {s: load_own_split(path, s, kept=kept) for s in RATIOS}
    assert {s: part.origins for s, part in parts.items()} == {
        **{"train": (first,), "validation": (second,), "test": (*others,)}
    }
    # Where the test is listed, too, other classes are in none.
    splits = split_own(path, kept={**kept, "test": others[:1]})
    assert splits.origins("test") == tuple(others[:1])
    assert splits.origins(None) == tuple(others[1:])
    with pytest.raises(ValueError, match="split 'train' .* must have a class"):
        load_own_split(path, "train", kept={"train": ["gone/away"]})


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "intents.CSV"
    rows = [f"text {n};intent{n % 7}" for n in range(21)]
    path.write_text("\n".join(["text;label", *rows]))
    return path


def test_a_csv_file_of_texts(texts):
    table = open_own(texts)
    assert (table.num_classes, table.examples.dtype) == (7, object)
    assert list(table.examples_of(1)) == ["text 1", "text 8", "text 15"]
    parts = [load_own_split(texts, s) for s in RATIOS]
    assert sorted(c for part in parts for c in part.class_names) == [*table.class_names]
    with pytest.raises(ValueError, match="`size` must be left out for texts.*size=4$"):
        open_own(texts, size=4)
    texts.write_text("text;label\n")
    with pytest.raises(ValueError, match="at least one text"):
        open_own(texts)
    texts.write_text("a;b\n")
    with pytest.raises(ValueError, match="`text_column` .*no 'text' and no 'path'"):
        open_own(texts)


@pytest.fixture
def divided(pictures, tmp_path):
    """The pictures in folders of splits, the one in colour in the test."""
    root = tmp_path / "divided"
    for number in range(10):
        split = ("train", "val", "test")[min(number // 4, 2)]
        target = root / split / f"class{number}"
        shutil.copytree(pictures / f"class{number}", target)
    return root


def test_given_splits_are_kept(divided, pictures):
    assert list(given_splits(divided)) == ["test", "train", "validation"]
    whole = open_own(pictures)
    for split, ids in (
        ("train", range(4)),
        ("validation", range(4, 8)),
        ("test", range(8, 10)),
    ):
        part = load_own_split(divided, split, seed=5)
        same(dataclasses.replace(part, name="photos"), whole.take_classes(ids))
        # Of one name, so that an evaluation finds a class that is in two.
        assert part.name == "divided"
    with pytest.raises(ValueError, match=r"\['test', 'train', 'validation'\].*'all'"):
        load_own_split(divided, "all")


def test_given_splits_share_no_class(divided):
    shutil.copytree(divided / "train" / "class0", divided / "test" / "class0")
    with pytest.raises(ValueError, match="no class.*'class0' in 'test' and 'train'"):
        load_own_split(divided, "train")
    shutil.copytree(divided / "val", divided / "valid")
    with pytest.raises(ValueError, match="one folder for each split.*'val'.*'valid'"):
        load_own_split(divided, "train")


def test_classes_named_after_splits_are_classes(tmp_path):
    for name in ("train", "test", "bus"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "1.png")
    assert given_splits(tmp_path) == {}
    assert load_own_split(tmp_path, "train").num_classes == 1


def test_a_folder_of_splits_is_named_by_the_door(divided):
    with pytest.raises(ValueError, match="must be one split, such as"):
        open_own(divided)
