import os
import pickle

import numpy as np
import pytest
from drawn_copies import (
    SIZES,
    assert_pictures,
    decoded,
    draw,
    drawn,
    encoded,
    read_all,
    small_tiered,
    write_files,
    write_npz,
    write_png_pickles,
    write_tar,
)
from PIL import Image

from tfmeta.datasets.imagenet.catalogue import tiered_catalogue
from tfmeta.datasets.imagenet.importing import layout_of
from tfmeta.datasets.imagenet.sources import open_tiered

CATALOGUE = small_tiered()
PARTIAL = small_tiered(partial=True)
FIRST, SECOND = CATALOGUE.classes["train"][:2]


def tree(size=(100, 90), template="{name}/{name}_{number}.JPEG"):
    return {
        template.format(name=name, number=17 * i + 3): encoded(draw(name, i, size))
        for split in SIZES
        for name, pictures in drawn(CATALOGUE, split).items()
        for i in range(len(pictures))
    }


def pixels(files=None):
    """What should come out: of files in the order of their names."""
    if files is None:
        return {n: p for split in SIZES for n, p in drawn(CATALOGUE, split).items()}
    found = {}
    for file, content in files.items():  # in the order of their numbers
        picture = Image.fromarray(decoded(content))
        resized = picture.resize((84, 84), Image.Resampling.BILINEAR)
        found.setdefault(file.split("/")[-2], []).append(np.asarray(resized))
    return found


@pytest.mark.parametrize("write", [write_files, write_tar])
@pytest.mark.parametrize(
    "template",
    [
        "{name}/{name}_{number}.JPEG",
        "train/{name}/{name}{number:08d}.jpg",
        "train/n01524359/{name}/{number}.png",
    ],
)
def test_trees_of_pictures(tmp_path, write, template):
    files = tree(template=template)
    path = tmp_path / "a.tar.gz" if write is write_tar else tmp_path
    write(path, files)
    source = open_tiered(path, CATALOGUE)
    assert_pictures(source, pixels(files))
    assert source.form.startswith("resized to 84x84")


def test_other_classes_of_ilsvrc_are_left_out(tmp_path):
    files = tree()
    other = {"n09999999/n09999999_2.JPEG": encoded(draw("other", 0))}
    source = open_tiered(write_files(tmp_path, files | other), CATALOGUE)
    assert_pictures(source, pixels(files))
    assert source.notes == ("Other classes of ImageNet, left out: 1.",)


def test_other_classes_of_other_trees_are_strange(tmp_path):
    files = tree(template="{name}/{number}.jpg")
    files["n09999999/2.jpg"] = encoded(draw("other", 0))
    write_files(tmp_path, files)
    for catalogue in (CATALOGUE, PARTIAL):
        with pytest.raises(ValueError, match="1 class strange: n09999999"):
            open_tiered(tmp_path, catalogue)


@pytest.mark.parametrize("write", [write_png_pickles, write_npz])
def test_pickles(tmp_path, write):
    source = open_tiered(write(tmp_path, CATALOGUE), CATALOGUE)
    assert_pictures(source, pixels())
    assert source.catalogue is CATALOGUE


def test_compressed_npz(tmp_path):
    write_npz(tmp_path, CATALOGUE, np.savez_compressed)
    assert_pictures(open_tiered(tmp_path, CATALOGUE), pixels())


def ids(split, labels):
    """Labels that name classes by their ids."""
    word = CATALOGUE.words
    id_of = {word[name]: name for name in CATALOGUE.classes[split]}
    return {
        **labels,
        "label_specific_str": [id_of[w] for w in labels["label_specific_str"]],
    }


def listed_ids(split, labels):
    """Labels that are an id for each picture."""
    names = ids(split, labels)["label_specific_str"]
    return {"labels": [names[number] for number in labels["label_specific"]]}


@pytest.mark.parametrize("change", [ids, listed_ids])
def test_labels_may_be_ids(tmp_path, change):
    write_npz(tmp_path, CATALOGUE, change=change)
    assert_pictures(open_tiered(tmp_path, CATALOGUE), pixels())


def test_names_of_classes_may_lie_beside_the_labels(tmp_path):
    called = {name: f"class {i}" for i, name in enumerate(CATALOGUE.split_of)}
    of_words = {CATALOGUE.words[name]: text for name, text in called.items()}

    def rename(split, labels):
        names = [of_words[w] for w in labels["label_specific_str"]]
        return {**labels, "label_specific_str": names}

    write_png_pickles(tmp_path, CATALOGUE, rename)
    with pytest.raises(ValueError, match="must name train classes.*4 other names"):
        open_tiered(tmp_path, CATALOGUE)
    (tmp_path / "synsets.txt").write_text("\n".join(called))
    (tmp_path / "class_names.txt").write_text("\n".join(called.values()))
    assert_pictures(open_tiered(tmp_path, CATALOGUE), pixels())


def test_labels_may_be_numbers_alone(tmp_path):
    start = {"train": 0, "validation": 4, "test": 6}

    def number(split, labels):
        return {"labels": (labels["label_specific"] + start[split]).tolist()}

    write_npz(tmp_path, CATALOGUE, change=number)
    source = open_tiered(tmp_path, CATALOGUE)
    # The numbers are in the reverse order of the ids, see `tiered_labels`.
    expected = {
        f"{split}/{i:03d}": pixels()[name]
        for split in SIZES
        for i, name in enumerate(reversed(CATALOGUE.classes[split]))
    }
    assert_pictures(source, expected)
    layout = layout_of(source)
    assert layout.groups is None
    assert layout.class_names[:2] == ("train/000", "train/001")
    assert "do not name them" in source.notes[0]


def test_groups_are_superclasses_by_name(tmp_path):
    source = open_tiered(write_png_pickles(tmp_path, CATALOGUE), CATALOGUE)
    layout = layout_of(source)
    assert layout.group_level == "superclass"
    assert layout.class_names == tuple(CATALOGUE.split_of)
    assert layout.groups[:4] == ("passerine", "passerine", "saurian", "saurian")
    superclass = CATALOGUE.superclasses[layout.class_names[-1]]
    assert CATALOGUE.words[superclass].split(",")[0] == layout.groups[-1]


def test_a_partial_copy_needs_to_be_called_one(tmp_path):
    files = {
        name: content
        for name, content in tree(size=(64, 64)).items()
        if FIRST not in name
    }
    del files[next(n for n in files if SECOND in n)]
    write_files(tmp_path, files)
    with pytest.raises(ValueError) as caught:
        open_tiered(tmp_path, CATALOGUE)
    assert f"1 class missing: {FIRST}" in str(caught.value)
    assert "or more but below 5 (some are so)" in str(caught.value)
    assert "`partial=True` (`--partial`)" in str(caught.value)
    source = open_tiered(tmp_path, PARTIAL)
    assert_pictures(source, pixels(files))
    layout = layout_of(source)
    assert layout.name == "tiered_imagenet_partial"
    assert "part of tieredImageNet" in layout.description
    assert "enlarged from 64x64 to 84x84" in layout.description


def test_an_empty_copy_is_not_even_partial(tmp_path):
    write_files(tmp_path, {"n09999999/n09999999_1.JPEG": encoded(draw("x", 0))})
    with pytest.raises(ValueError, match="pictures of some of the 8 classes"):
        open_tiered(tmp_path, PARTIAL)


def test_a_short_copy_is_refused_even_when_each_class_is_large_enough(tmp_path):
    files = tree()
    large = next(n for n, p in pixels().items() if len(p) > 3)
    del files[next(n for n in files if large in n)]
    with pytest.raises(ValueError, match="Received: .* pictures of them"):
        open_tiered(write_files(tmp_path, files), CATALOGUE)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/tfmeta-was-run",)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("val_labels.pkl", Hostile(), "val_labels.pkl.*system"),
        ("val_images_png.pkl", [Hostile()], "val_images_png.pkl.*system"),
        ("val_images_png.pkl", {}, "must be a list of PNG files. Received: dict"),
        ("val_images_png.pkl", [], "one picture for each of the .* Received: 0"),
        ("val_labels.pkl", [], "must be a dict with 'label_specific'"),
        ("val_labels.pkl", {"labels": [1.5]}, "'labels' must be a list of integers"),
        ("val_labels.pkl", {"labels": ["cat"]}, "first 'cat'"),
        (
            "val_labels.pkl",
            {"label_specific": [0, 7], "label_specific_str": ["a"]},
            "from 0 to 0. Received: 0 to 7",
        ),
        (
            "val_labels.pkl",
            {"label_specific": [0], "label_specific_str": 3},
            "must be a list of names. Received: int",
        ),
        ("val_labels.pkl", {"labels": [3, 4]}, "numbers in val_labels.pkl alone"),
    ],
)
def test_pickles_that_are_not_whole(tmp_path, file, content, message):
    write_png_pickles(tmp_path, CATALOGUE)
    (tmp_path / file).write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        read_all(open_tiered(tmp_path, CATALOGUE))
    assert str(tmp_path) in str(caught.value)
    assert not os.path.exists("/tmp/tfmeta-was-run")


def test_pictures_of_pickles_that_cannot_be_read_are_named(tmp_path):
    write_png_pickles(tmp_path, CATALOGUE)
    path = tmp_path / "test_images_png.pkl"
    files = pickle.loads(path.read_bytes())
    files[1] = files[1][:200]
    path.write_bytes(pickle.dumps(files))
    with pytest.raises(ValueError, match=r"picture 'n\d{8}/0000' of .*test_images_png"):
        read_all(open_tiered(tmp_path, CATALOGUE))
    files[1] = "text"
    path.write_bytes(pickle.dumps(files))
    with pytest.raises(ValueError, match="as bytes or uint8 arrays. Received: str"):
        read_all(open_tiered(tmp_path, CATALOGUE))


def test_labels_are_needed(tmp_path):
    write_npz(tmp_path, CATALOGUE)
    for path in tmp_path.glob("*.pkl"):
        path.unlink()
    with pytest.raises(ValueError, match="must hold train_labels.pkl"):
        open_tiered(tmp_path, CATALOGUE)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": np.zeros((9, 84, 84, 3), np.uint8)}, "KeyError"),
        ({"images": np.zeros((9, 84, 84, 3), np.float32)}, "float32 of shape"),
        ({"images": np.zeros((9, 84, 84), np.uint8)}, r"uint8 of shape \(9, 84, 84\)"),
        ({"images": np.array(["a"], object)}, "object of shape|Object arrays"),
        ({"images": np.zeros((2, 84, 84, 3), np.uint8)}, "Received: 2"),
    ],
)
def test_npz_files_of_something_else(tmp_path, arrays, message):
    write_npz(tmp_path, CATALOGUE)
    np.savez(tmp_path / "test_images.npz", **arrays)
    with pytest.raises(ValueError, match=f"test_images.npz.*{message}"):
        read_all(open_tiered(tmp_path, CATALOGUE))


@pytest.mark.parametrize("keep", [0, 100, 0.5, -50])
def test_truncated_npz_files(tmp_path, keep):
    write_npz(tmp_path, CATALOGUE)
    path = tmp_path / "train_images.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if keep == 0.5 else keep])
    with pytest.raises(ValueError, match="train_images.npz must be an npz file"):
        read_all(open_tiered(tmp_path, CATALOGUE))


def test_a_changed_byte_in_an_npz_file_is_found(tmp_path):
    write_npz(tmp_path, CATALOGUE)
    path = tmp_path / "train_images.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match="train_images.npz.*CRC"):
        read_all(open_tiered(tmp_path, CATALOGUE))


def test_real_classes_are_those_of_the_lists(reference_data):
    catalogue = tiered_catalogue()
    for split, file in (("train", "train"), ("validation", "val"), ("test", "test")):
        text = (reference_data / "tieredimagenet" / f"{file}.csv").read_text()
        pairs = dict(line.split(",") for line in text.split())
        assert set(pairs) == set(catalogue.classes[split])
        assert all(catalogue.superclasses[name] == s for name, s in pairs.items())
    assert sum(catalogue.pictures.values()) == 779_165
    groups = {
        split: {catalogue.group_of(name) for name in names}
        for split, names in catalogue.classes.items()
    }
    assert {s: len(g) for s, g in groups.items()} == {
        "train": 20,
        "validation": 6,
        "test": 8,
    }
    assert len(set.union(*groups.values())) == 34
    assert len({catalogue.words[name] for name in catalogue.split_of}) == 608
