import dataclasses
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
    ilsvrc_files,
    ravi_files,
    ravi_lists,
    ravi_name,
    read_all,
    small_mini,
    write_caches,
    write_category_splits,
    write_files,
    write_tar,
    write_zip,
)
from PIL import Image

from tfmeta.datasets.imagenet.sources import open_mini

CATALOGUE = small_mini()


def pixels(catalogue=CATALOGUE, through=lambda picture: picture):
    return {
        name: [through(p) for p in pictures]
        for split in SIZES
        for name, pictures in drawn(catalogue, split).items()
    }


def as_jpeg(picture):
    return decoded(encoded(picture))


@pytest.mark.parametrize(
    "template",
    ["{name}/{file}", "images/{file}", "{file}", "a b/train/{name}/{file}"],
)
@pytest.mark.parametrize("lists", ["", "splits/ravi/", None])
def test_folders_of_pictures(tmp_path, template, lists):
    write_files(tmp_path, ravi_files(CATALOGUE, template))
    if lists is not None:
        write_files(tmp_path, {lists + n: c for n, c in ravi_lists(CATALOGUE).items()})
    source = open_mini(tmp_path, CATALOGUE)
    assert_pictures(source, pixels(through=as_jpeg))
    assert source.form == "from picture files of 84x84"


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("lists", ["inside", "beside", "missing"])
@pytest.mark.parametrize("given", ["archive", "folder"])
def test_archives_of_pictures(tmp_path, write, lists, given):
    files = ravi_files(CATALOGUE, "mini/images/{file}")
    if lists == "inside":
        files |= {f"mini/{n}": c for n, c in ravi_lists(CATALOGUE).items()}
    archive = write(tmp_path / ("a.zip" if write is write_zip else "a.tar.gz"), files)
    if lists == "beside":
        write_files(tmp_path, ravi_lists(CATALOGUE))
    source = open_mini(archive if given == "archive" else tmp_path, CATALOGUE)
    assert_pictures(source, pixels(through=as_jpeg))
    assert bool(source.notes) == (lists != "missing")


def test_what_file_managers_leave_is_ignored(tmp_path):
    write_files(tmp_path, ravi_files(CATALOGUE))
    write_files(
        tmp_path,
        {
            "__MACOSX/n01532829/._x.jpg": b"",
            ".cache/n01532829/x.jpg": b"",
            "README.md": b"",
        },
    )
    assert_pictures(open_mini(tmp_path, CATALOGUE), pixels(through=as_jpeg))


def test_links_are_followed_once(tmp_path):
    write_files(tmp_path / "elsewhere", ravi_files(CATALOGUE))
    os.symlink(tmp_path / "elsewhere", tmp_path / "linked")
    os.symlink(tmp_path, tmp_path / "elsewhere" / "up")
    assert_pictures(open_mini(tmp_path / "linked", CATALOGUE), pixels(through=as_jpeg))


def test_lists_decide_what_counts(tmp_path):
    first = CATALOGUE.classes["train"][0]
    write_files(tmp_path, ravi_files(CATALOGUE) | ravi_lists(CATALOGUE))
    write_files(
        tmp_path,
        {
            f"{first}/{first}00000099.jpg": encoded(draw("more", 0)),
            "n99999999/n9999999900000001.jpg": encoded(draw("more", 1)),
            "cover.png": encoded(draw("more", 2), "PNG"),
        },
    )
    assert_pictures(open_mini(tmp_path, CATALOGUE), pixels(through=as_jpeg))


def test_official_lists_are_recognised(reference_data, tmp_path):
    from tfmeta.datasets.imagenet.catalogue import mini_catalogue
    from tfmeta.datasets.imagenet.ravi_lists import find_lists
    from tfmeta.datasets.imagenet.stored_files import FolderFiles

    folder = reference_data / "miniimagenet" / "splits" / "ravi"
    lists = find_lists(FolderFiles(folder), mini_catalogue())
    assert lists.official
    assert sum(map(len, lists.names.values())) == len(lists.all_names) == 60_000
    assert set(map(len, lists.names.values())) == {600}
    changed = {p.name: p.read_bytes() for p in folder.iterdir()}
    changed["val.csv"] = changed["val.csv"].replace(b"\r\n", b"\n") + b"\n"
    again = find_lists(FolderFiles(write_files(tmp_path, changed)), mini_catalogue())
    assert not again.official
    assert again.names == lists.names


def test_an_ilsvrc_tree_is_chosen_from_by_number_and_resized(tmp_path):
    files, listed = ilsvrc_files(CATALOGUE)
    write_files(tmp_path, files | ravi_lists(CATALOGUE))
    source = open_mini(tmp_path, CATALOGUE)
    assert_pictures(
        source, {name: list(map(resized, files)) for name, files in listed.items()}
    )
    assert "resized to 84x84" in source.form
    assert any("left out: 1" in note for note in source.notes)
    assert any("below 1,300" in note for note in source.notes)
    first = CATALOGUE.classes["test"][0]
    names = {p.rank: p.name for p in source.pictures("test") if p.class_name == first}
    assert names[0] == f"{first}/{ravi_name(first, 0)}"


@pytest.mark.parametrize("lists", [True, False])
def test_the_chosen_pictures_may_have_their_names_of_ilsvrc(tmp_path, lists):
    files, listed = ilsvrc_files(CATALOGUE)
    wanted = {content for contents in listed.values() for content in contents}
    write_files(tmp_path, {n: c for n, c in files.items() if c in wanted})
    if lists:
        write_files(tmp_path, ravi_lists(CATALOGUE))
    source = open_mini(tmp_path, CATALOGUE)
    for name, pictures in read_all(source).items():
        for picture, content in zip(pictures, listed[name], strict=True):
            np.testing.assert_array_equal(picture, resized(content))
    assert "taken to be the right ones" in source.notes[-1]


def resized(content):
    picture = Image.fromarray(decoded(content))
    return np.asarray(picture.resize((84, 84), Image.Resampling.BILINEAR))


def test_an_ilsvrc_tree_needs_lists(tmp_path):
    write_files(tmp_path, ilsvrc_files(CATALOGUE)[0])
    with pytest.raises(ValueError, match="train.csv, val.csv and test.csv.*say which"):
        open_mini(tmp_path, CATALOGUE)


def test_an_ilsvrc_tree_without_the_last_pictures_is_short(tmp_path):
    files, _ = ilsvrc_files(CATALOGUE)
    first = CATALOGUE.classes["train"][0]
    last = [n for n in files if n.startswith(first)][-5:]
    for name in last:
        del files[name]
    write_files(tmp_path, files | ravi_lists(CATALOGUE))
    with pytest.raises(ValueError, match=f"1 class short: {first} by 1"):
        open_mini(tmp_path, CATALOGUE)


@pytest.mark.parametrize("write", [write_caches, write_category_splits])
def test_pickles(tmp_path, write):
    source = open_mini(write(tmp_path, CATALOGUE), CATALOGUE)
    assert_pictures(source, pixels())
    assert "84x84" in source.form


def test_a_cache_of_the_validation_split_may_have_the_longer_name(tmp_path):
    write_caches(tmp_path, CATALOGUE)
    short = tmp_path / "mini-imagenet-cache-val.pkl"
    short.rename(tmp_path / "mini-imagenet-cache-validation.pkl")
    assert_pictures(open_mini(tmp_path, CATALOGUE), pixels())


def test_forms_agree_on_the_order_of_pictures(tmp_path):
    one = open_mini(write_caches(tmp_path / "a", CATALOGUE), CATALOGUE)
    files = write_files(tmp_path / "b", ravi_files(CATALOGUE) | ravi_lists(CATALOGUE))
    other = read_all(open_mini(files, CATALOGUE))
    for name, pictures in read_all(one).items():
        for a, b in zip(pictures, other[name], strict=True):
            assert np.abs(a.astype(int) - b).mean() < 8  # JPEG loses a little


def test_digests_differ(tmp_path):
    files = ravi_files(CATALOGUE)
    digests = {
        open_mini(write_files(tmp_path / "a", files), CATALOGUE).digest,
        open_mini(write_zip(tmp_path / "b" / "x.zip", files), CATALOGUE).digest,
        open_mini(write_caches(tmp_path / "c", CATALOGUE), CATALOGUE).digest,
    }
    files[next(iter(files))] += b"\0"
    digests.add(open_mini(write_files(tmp_path / "d", files), CATALOGUE).digest)
    assert len(digests) == 4


FIRST, SECOND = CATALOGUE.classes["train"][:2]
STRANGE = "n09999999"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop(f"{FIRST}/{ravi_name(FIRST, 2)}"), f"short: {FIRST} by 1"),
        (
            lambda f: [f.pop(n) for n in list(f) if SECOND in n],
            f"1 class missing: {SECOND}$",
        ),
        (
            lambda f: f.update({f"{STRANGE}/a.jpg": encoded(draw("x", 0))}),
            f"1 class strange: {STRANGE}$",
        ),
        (
            lambda f: f.update({f"{FIRST}/a.jpg": encoded(draw("x", 0))}),
            f"1 class too large: {FIRST} by 1",
        ),
        (
            lambda f: f.update({"photos/a.jpg": encoded(draw("x", 0))}),
            "folder named after its class.*'photos/a.jpg'",
        ),
        (
            lambda f: f.update({f"b/{FIRST}/{ravi_name(FIRST, 2)}": b""}),
            "must differ in their names.*00000008.jpg",
        ),
        (lambda f: f.clear(), "in one of these forms.*nothing that is known"),
    ],
)
def test_copies_that_are_not_whole(tmp_path, change, message):
    files = ravi_files(CATALOGUE)
    change(files)
    with pytest.raises(ValueError, match=f"(?s){message}") as caught:
        open_mini(write_files(tmp_path, files), CATALOGUE)
    assert str(tmp_path) in str(caught.value) or "differ in their names" in message


def test_at_most_ten_classes_are_named(tmp_path):
    from tfmeta.datasets.imagenet.catalogue import mini_catalogue

    write_files(tmp_path, ravi_files(CATALOGUE))
    with pytest.raises(ValueError) as caught:
        open_mini(tmp_path, mini_catalogue())
    message = str(caught.value)
    assert "100 classes of 600 pictures, 38,400 train, 9,600 validation" in message
    assert "20 train, 10 validation, 10 test pictures of them" in message
    assert "92 classes missing: " in message
    assert message.count("and 82 more") == 1
    assert f"8 classes short: {FIRST} by 595" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("val.csv"), "must lie together.*test.csv, train.csv alone"),
        (lambda f: f.update({"val.csv": f["test.csv"]}), "val.csv must list the valid"),
        (lambda f: f.update({"val.csv": b"a,b\n1,2\n"}), "'filename,label'.*'a,b'"),
        (lambda f: f.update({"val.csv": b""}), "'filename,label'.*an empty file"),
        (lambda f: f.update({"val.csv": b"\xff\xfe"}), "val.csv must be a CSV file"),
        (
            lambda f: f.update({"val.csv": f["val.csv"] + b"x\r\n"}),
            "two columns. Received: 1 in line",
        ),
        (
            lambda f: f.update({"val.csv": f["val.csv"] + f["val.csv"][16:]}),
            "val.csv must list each picture once",
        ),
    ],
)
def test_lists_that_are_not_those(tmp_path, change, message):
    lists = ravi_lists(CATALOGUE)
    change(lists)
    write_files(tmp_path, ravi_files(CATALOGUE) | lists)
    with pytest.raises(ValueError, match=message):
        open_mini(tmp_path, CATALOGUE)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    files = ravi_files(CATALOGUE)
    name = f"{SECOND}/{ravi_name(SECOND, 1)}"
    files[name] = files[name][:300]
    source = open_mini(write_files(tmp_path, files), CATALOGUE)
    with pytest.raises(ValueError, match=f"picture '{name}' of .* must be readable"):
        read_all(source)


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="`source`.*nowhere"):
        open_mini(tmp_path / "nowhere", CATALOGUE)


def test_several_archives_are_too_many(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, ravi_files(CATALOGUE))
    with pytest.raises(ValueError, match="2 archives in it: a.zip, b.zip"):
        open_mini(tmp_path, CATALOGUE)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/tfmeta-was-run",)


def replace(content, **parts):
    return {**content, **parts}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, image_data=Hostile()), "system"),
        (lambda c: [c], "must be a dict with 'image_data'.*Received: list"),
        (lambda c: {}, "must be a dict with 'image_data'"),
        (
            lambda c: replace(c, image_data=c["image_data"].astype(float)),
            "uint8 array of shape.*float64",
        ),
        (
            lambda c: replace(c, image_data=c["image_data"][:, :80]),
            r"84, 84, 3\). Received: uint8 of shape \(20, 80, 84, 3\)",
        ),
        (lambda c: replace(c, image_data=None), "Received: NoneType"),
        (lambda c: replace(c, image_data=c["image_data"][:-1]), "rows from 0 to 18"),
        (lambda c: replace(c, class_dict=[1]), "'class_dict' must be a dict.*list"),
        (
            lambda c: replace(c, class_dict={**c["class_dict"], FIRST: [0.5]}),
            f"'{FIRST}' must be a list of integers. Received: float64",
        ),
        (
            lambda c: replace(c, class_dict={**c["class_dict"], FIRST: [[1], [1, 2]]}),
            f"'{FIRST}' must be a list of integers",
        ),
        (
            lambda c: replace(c, class_dict={**c["class_dict"], FIRST: [0, 0, 1, 2]}),
            "each picture one class",
        ),
        (
            lambda c: replace(c, class_dict={**c["class_dict"], FIRST: [-1]}),
            "rows from 0 to 19. Received: -1",
        ),
        (
            lambda c: replace(
                c,
                class_dict={
                    STRANGE if k == FIRST else k: v for k, v in c["class_dict"].items()
                },
            ),
            f"must hold the train classes.*1 other classes, the first '{STRANGE}'",
        ),
        (
            lambda c: replace(
                c,
                class_dict={
                    k: v[:3] if k == FIRST else v for k, v in c["class_dict"].items()
                },
            ),
            f"1 class short: {FIRST} by 2",
        ),
    ],
)
def test_caches_that_are_not_whole(tmp_path, change, message):
    write_caches(
        tmp_path,
        CATALOGUE,
        lambda split, content: change(content) if split == "train" else content,
    )
    with pytest.raises(ValueError, match=f"(?s){message}") as caught:
        open_mini(tmp_path, CATALOGUE)
    assert str(tmp_path) in str(caught.value)
    assert not os.path.exists("/tmp/tfmeta-was-run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, labels=c["labels"][:-1]), "one label for each of the 20"),
        (lambda c: replace(c, labels="abc"), "'labels' must be a list of integers"),
        (lambda c: replace(c, catname2label=[1]), "'catname2label' must be a dict"),
        (
            lambda c: replace(c, catname2label={FIRST: 0}),
            r"must name all labels. Received: none for \[1, 2, 3\]",
        ),
    ],
)
def test_category_splits_that_are_not_whole(tmp_path, change, message):
    write_category_splits(
        tmp_path,
        CATALOGUE,
        lambda split, content: change(content) if split == "train" else content,
    )
    with pytest.raises(ValueError, match=message):
        open_mini(tmp_path, CATALOGUE)


def test_a_missing_pickle_is_named(tmp_path):
    write_caches(tmp_path, CATALOGUE)
    (tmp_path / "mini-imagenet-cache-val.pkl").unlink()
    with pytest.raises(ValueError, match="without mini-imagenet-cache-val.pkl"):
        open_mini(tmp_path, CATALOGUE)


def test_a_truncated_pickle_is_named(tmp_path):
    write_caches(tmp_path, CATALOGUE)
    path = tmp_path / "mini-imagenet-cache-test.pkl"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="mini-imagenet-cache-test.pkl"):
        open_mini(tmp_path, CATALOGUE)


def test_python_2_wrote_some_of_them(tmp_path):
    """Protocol 2 with byte strings: what Python 2 calls str."""
    write_category_splits(tmp_path, CATALOGUE)
    for path in tmp_path.iterdir():
        content = pickle.loads(path.read_bytes())
        path.write_bytes(pickle_as_python_2(content))
    assert_pictures(open_mini(tmp_path, CATALOGUE), pixels())


def pickle_as_python_2(content):
    """Writes a dict of such a pickle as Python 2 does: text as SHORT_BINSTRING."""

    class Pickler(pickle._Pickler):
        dispatch = dict(pickle._Pickler.dispatch)

        def save_text(self, text):
            self.write(b"U" + bytes([len(text)]) + text.encode("latin1"))

        dispatch[str] = save_text

        def save_bytes(self, data):
            self.write(b"T" + len(data).to_bytes(4, "little") + data)

        dispatch[bytes] = save_bytes

    import io

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(content)
    return buffer.getvalue()


def test_real_classes_are_those_of_the_lists():
    from tfmeta.datasets.imagenet.catalogue import mini_catalogue

    catalogue = mini_catalogue()
    assert {s: len(c) for s, c in catalogue.classes.items()} == {
        "train": 64,
        "validation": 16,
        "test": 20,
    }
    assert len(catalogue.split_of) == 100
    assert catalogue.pictures == {"train": 38400, "validation": 9600, "test": 12000}
    assert dataclasses.replace(catalogue).split_of == catalogue.split_of
