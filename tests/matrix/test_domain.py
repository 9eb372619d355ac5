import numpy as np
import pytest
from coloured_photos import COLOURS, paint
from PIL import Image

from tfmeta.datasets import ClassTable, load
from tfmeta.matrix.domain import Domain, light_ground_of_files, open_domain

BOUNDS = {"most_classes": 200, "images_per_class": 100}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six classes of 4 to 9 pictures."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    for number in range(6):
        colour = list(COLOURS.values())[number % 3]
        paint(folder / f"class{number}", colour, 4 + number, seed=number)
    return folder


def test_of_the_list_the_test_classes(glyphs_drawn_once):
    glyphs = load("glyphs", split="test")
    domain = open_domain("glyphs", "glyphs", **BOUNDS)
    assert domain.source.origins == domain.sizes.origins
    assert (domain.chosen, domain.classes_of_all) == ("test classes", 240)
    assert domain.sizes.num_classes == 200
    assert set(domain.source.class_names) < set(glyphs.class_names)
    assert domain.is_of({"glyphs-seed0/other"}) and not domain.is_of({"glyphs/other"})


def test_draws_are_of_the_seed_and_each_class_draws_by_itself(glyphs_drawn_once):
    glyphs = load("glyphs", split="test")

    def opened(**bounds):
        return open_domain("glyphs", "glyphs", **{**BOUNDS, **bounds}).source

    few = opened(most_classes=7, images_per_class=3)
    assert few.class_sizes.tolist() == [3] * 7
    again = opened(most_classes=7, images_per_class=3)
    np.testing.assert_array_equal(few.examples, again.examples)
    other = opened(most_classes=7, images_per_class=3, seed=1)
    assert other.class_names != few.class_names
    # Of a class the same pictures are drawn, however many classes there are.
    many = opened(most_classes=100, images_per_class=3)
    for place, name in enumerate(few.class_names):
        full = glyphs.examples_of(glyphs.class_names.index(name))
        drawn = few.examples_of(place)
        rows = [np.flatnonzero((full == one).all(axis=(1, 2, 3))) for one in drawn]
        assert all(len(found) for found in rows)
        if name in many.class_names:
            same = many.examples_of(many.class_names.index(name))
            np.testing.assert_array_equal(drawn, same)


def test_every_example_is_drawn_about_as_often():
    """2 of 5 examples and 3 of 4 classes over 400 seeds: binomial counts."""
    from tfmeta.matrix.domain import _bounded

    labels = np.repeat(list("abcd"), 5)
    table = ClassTable.from_arrays("toy", np.arange(20)[:, None], labels)
    counts = np.zeros(20)
    for seed in range(400):
        drawn = _bounded(table, 3, 2, seed)
        assert drawn.class_sizes.tolist() == [2, 2, 2]
        counts[drawn.examples[:, 0]] += 1
    share = 3 / 4 * 2 / 5
    assert abs(counts - 400 * share).max() < 5 * np.sqrt(400 * share * (1 - share))


def test_all_classes_of_a_folder_but_those_that_a_run_has_seen(photos):
    whole = open_domain(str(photos), "photos", **BOUNDS)
    assert (whole.chosen, whole.sizes.sizes) == ("classes", (4, 5, 6, 7, 8, 9))
    assert whole.kind == "pictures" and whole.cut_from is None
    seen = {"photos/class1", "photos/class4", "else/class2"}
    unseen = open_domain(str(photos), "photos", seen=seen, **BOUNDS)
    assert unseen.chosen == "classes that no run has seen"
    assert unseen.source.class_names == ("class0", "class2", "class3", "class5")
    assert unseen.is_of(seen)
    bounded = open_domain(
        str(photos), "photos", seen=seen, most_classes=3, images_per_class=5
    )
    assert len(bounded.source.class_names) == 3
    assert max(bounded.sizes.sizes) == 5
    assert set(bounded.source.files) < set(unseen.source.files)
    labels = {file: file.parent.name for file in bounded.source.files}
    assert tuple(labels.values()) == bounded.source.labels
    everything = {f"photos/class{number}" for number in range(6)}
    with pytest.raises(ValueError, match="a class that no RUN has seen.*of whose 6"):
        open_domain(str(photos), "photos", seen=everything, **BOUNDS)


def test_the_test_split_of_a_folder_that_comes_in_splits(tmp_path):
    folder = tmp_path / "split"
    for split, names in (("train", "ab"), ("val", "cd"), ("test", "ef")):
        for name in names:
            paint(folder / split / name, (9, 9, 9), 2, seed=0)
    domain = open_domain(str(folder), "split", **BOUNDS)
    assert (domain.chosen, domain.source.class_names) == ("test classes", ("e", "f"))
    domain = open_domain(str(folder), "split", seen={"split/e"}, **BOUNDS)
    assert domain.source.class_names == ("f",)
    assert domain.chosen == "classes that no run has seen"


def test_classes_named_after_those_of_imagenet_are_known(tmp_path):
    paint(tmp_path / "net" / "n01532829", (9, 9, 9), 2, seed=0)  # house_finch
    paint(tmp_path / "net" / "n99999999", (9, 9, 9), 2, seed=0)
    assert open_domain(str(tmp_path / "net"), "net", **BOUNDS).cut_from == "imagenet"


def test_what_is_not_there_or_no_picture_is_named(photos, tmp_path):
    with pytest.raises(ValueError, match="`dataset` must be one of glyphs, .*'glyps'"):
        open_domain("glyps", "glyps", **BOUNDS)
    with pytest.raises(FileNotFoundError, match="datasets import mini_imagenet"):
        open_domain("mini_imagenet", "m", data_dir=tmp_path, **BOUNDS)
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "a" / "x.png").write_text("no picture")
    with pytest.raises(ValueError, match="x.png"):
        open_domain(str(tmp_path / "bad"), "bad", **BOUNDS)


def test_the_ground_of_files_and_of_tables(glyphs_drawn_once, tmp_path):
    glyphs = load("glyphs", split="test")
    files = []
    for number in range(12):
        file = tmp_path / f"{number}.png"
        Image.fromarray(255 - glyphs.examples[number * 30][..., 0]).save(file)
        files.append(file)
    assert light_ground_of_files(files) is True
    assert Domain("glyphs", glyphs, "classes", 240).light_ground is False
    paint(tmp_path / "photos", COLOURS["amber"], 3, seed=0)
    assert light_ground_of_files(sorted((tmp_path / "photos").iterdir())) is None
