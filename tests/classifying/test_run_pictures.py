import json
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw, ImageOps

from tfmeta import export
from tfmeta.classifying import saved_model as module
from tfmeta.classifying.by_run import classify_by_run
from tfmeta.classifying.picture_task import find_picture_task
from tfmeta.classifying.run_pictures import read_for_run
from tfmeta.classifying.saved_model import find_saved_model
from tfmeta.datasets import ClassTable
from tfmeta.datasets.own.open_own import open_own
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.runs.export import export_run
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@pytest.fixture(scope="module")
def model(glyphs_run):
    return glyphs_run / "saved_model" / "1"


def read_pictures(model, support, query, **options):
    return read_for_run(model, find_picture_task(support, query), **options)


def read(model, task, **options):
    return read_pictures(model, task / "support", task / "query", **options)


def classify_pictures(model, pictures):
    return classify_by_run(model, pictures).probabilities


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# Finding the model.


def test_a_run_stands_for_its_newest_version(run_copy):
    folder = run_copy / "saved_model"
    assert find_saved_model(run_copy) == folder / "1"
    for version in ("9", "10"):
        shutil.copytree(folder / "1", folder / version)
    (folder / "11").mkdir()  # without a model
    (folder / ".tmp-12").mkdir()
    assert find_saved_model(run_copy) == folder / "10"
    assert find_saved_model(folder / "9") == folder / "9"


def test_what_is_no_model_is_named(run_copy, tmp_path):
    shutil.rmtree(run_copy / "saved_model")
    with pytest.raises(FileNotFoundError, match="saved_model must.*tfmeta export"):
        find_saved_model(run_copy)
    for path in (tmp_path / "nowhere", tmp_path, run_copy / "config.json"):
        with pytest.raises(FileNotFoundError, match="must be a run folder"):
            find_saved_model(path)


def test_a_run_of_a_newer_version_is_refused(run_copy):
    edit(run_copy / "config.json", format_version=3)
    with pytest.raises(ValueError, match="config.json.*from a newer"):
        find_saved_model(run_copy)


# Reading the pictures.


@pytest.mark.slow
def test_pictures_come_back_as_they_were_drawn(model, task_folders, glyphs):
    task = read(model, task_folders)
    assert task.warnings == ()
    assert task.task.class_names == tuple(f"class{i}" for i in range(5))
    np.testing.assert_array_equal(task.task.support_labels, np.repeat(np.arange(5), 3))
    assert task.task.support_labels.dtype == np.int32
    drawings = [glyphs.examples_of(c) for c in (3, 40, 77, 150, 200)]
    np.testing.assert_array_equal(
        task.support, np.concatenate([d[:3] for d in drawings])
    )
    np.testing.assert_array_equal(
        task.query, np.concatenate([d[10:12] for d in drawings])
    )
    assert [p.name for p in task.task.query] == [
        f"class{i}-{j}.png" for i in range(5) for j in (10, 11)
    ]


def test_dark_on_light_is_inverted_with_a_warning(model, task_folders, dark_on_light):
    expected, found = read(model, task_folders), read(model, dark_on_light)
    np.testing.assert_array_equal(found.support, expected.support)
    np.testing.assert_array_equal(found.query, expected.query)
    (warning,) = found.warnings
    assert "light on dark" in warning
    assert "--invert no" in warning


def test_inversion_can_be_forbidden_and_forced(model, task_folders, dark_on_light):
    expected = read(model, task_folders)
    left = read(model, dark_on_light, invert="no")
    np.testing.assert_array_equal(left.support, 255 - expected.support)
    np.testing.assert_array_equal(left.query, 255 - expected.query)
    forced = read(model, dark_on_light, invert="yes")
    np.testing.assert_array_equal(forced.query, expected.query)
    assert left.warnings == forced.warnings == left.notes == ()
    assert forced.notes == (
        "--support: inverted; --query: inverted, as --invert yes says",
    )


def test_sides_that_disagree_are_left_as_they_are(model, task_folders, dark_on_light):
    expected = read(model, task_folders)
    for swapped in (False, True):
        one, other = (task_folders, dark_on_light)[:: -1 if swapped else 1]
        mixed = read_pictures(model, one / "support", other / "query")
        turned = [mixed.support, 255 - mixed.query]
        turned = [255 - side for side in turned] if swapped else turned
        np.testing.assert_array_equal(turned[0], expected.support)
        np.testing.assert_array_equal(turned[1], expected.query)
        (warning,) = mixed.warnings
        assert "differ in their ground" in warning
        assert "--support: not inverted (15 " in warning
        assert "--query: not inverted (10 " in warning


def test_one_picture_of_the_other_ground_keeps_all_as_they_are(model, dark_on_light):
    path = dark_on_light / "support" / "class2" / "class2-1.png"
    ImageOps.invert(Image.open(path)).save(path)
    task = read(model, dark_on_light)
    assert task.query.mean() > 127
    (warning,) = task.warnings
    assert "light on dark among them (class2/class2-1.png)" in warning


def two_colours(share, low, high, number, size=28):
    """Stripes along a direction of the class: `share` of the pixels are `high`."""
    y, x = np.mgrid[:size, :size] / size
    angle = np.pi * (number % 3) / 3
    wave = np.sin(18 * (x * np.cos(angle) + y * np.sin(angle)) + number)
    wave = wave + 1e-6 * np.random.default_rng(number).random(wave.shape)
    picture = np.where((wave > np.quantile(wave, 1 - share))[..., None], high, low)
    return Image.fromarray(picture.astype(np.uint8))


def write_two_colours(folder, shares, low, high):
    for part, share in zip(("support", "query"), shares, strict=True):
        for number in range(9):
            target = folder / part / f"class{number % 3}"
            target.mkdir(parents=True, exist_ok=True)
            number += 9 * (part == "query")
            two_colours(share, low, high, number).save(target / f"{number}.png")
    return folder


def models_of(run_copy, shape, dtype="uint8"):
    """Descriptions of models of some shape, whose ground is known or not."""
    model = run_copy / "saved_model" / "1"
    for light_ground in (None, False, True):
        edit(
            model / "tfmeta.json",
            example={"shape": shape, "dtype": dtype},
            description={"light_ground": light_ground},
        )
        yield model


def assert_untouched(model, task, channels):
    found = read(model, task)
    for side, name in ((found.support, "support"), (found.query, "query")):
        files = sorted((task / name).rglob("*.png"))
        stored = [read_picture(f, size=(28, 28), channels=channels) for f in files]
        np.testing.assert_array_equal(side, stored)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("low", "high"),
    [((30, 30, 30), (225, 225, 225)), ((20, 20, 60), (240, 190, 200))],
    ids=["grey", "colour"],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_two_colours_are_left_as_they_are(
    run_copy, tmp_path, channels, low, high, mirrored
):
    # Means on both sides of the middle: 112.9 and 134.7.
    luma = [float(np.dot(c, (0.299, 0.587, 0.114))) for c in (low, high)]
    shares = [(mean - luma[0]) / (luma[1] - luma[0]) for mean in (112.9, 134.7)]
    shares = shares[::-1] if mirrored else shares
    task = write_two_colours(tmp_path / "two", shares, low, high)
    for model in models_of(run_copy, (28, 28, channels)):
        found = assert_untouched(model, task, channels)
        means = sorted([found.support.mean(), found.query.mean()])
        if channels == 1:
            assert means == pytest.approx([112.9, 134.7], abs=0.6)
        assert not any("--support: inverted" in w for w in found.warnings)


def smooth_photograph(rng, base, size=40):
    """Random smooth colours around those of a class."""
    small = np.clip(base + rng.normal(0, 35, (5, 5, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)


@pytest.mark.slow
def test_photographs_are_left_as_they_are(run_copy, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(30):
        task = tmp_path / str(number)
        for label, base in enumerate(rng.uniform(20, 235, (5, 1, 1, 3))):
            for part, count in (("support", 5), ("query", 1)):
                folder = task / part / f"class{label}"
                folder.mkdir(parents=True)
                for shot in range(count):
                    picture = smooth_photograph(rng, base)
                    if number % 3 == 2:
                        picture = picture.convert("L")
                    picture.save(folder / f"{shot}.png")
        channels = 1 if number % 2 else 3
        for model in models_of(run_copy, (28, 28, channels)):
            found = assert_untouched(model, task, channels)
            assert not any("--support: inverted" in w for w in found.warnings)


def test_scans_stored_in_colours_are_inverted_where_the_model_is_of_grey(
    model, run_copy, task_folders, dark_on_light
):
    expected = read(model, task_folders)
    for number, path in enumerate(sorted(dark_on_light.rglob("*.png"))):
        picture = Image.open(path)
        mode = ("RGB", "P", "RGBA", "L")[number % 4]
        picture.convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE).save(path)
    found = read(model, dark_on_light)
    np.testing.assert_array_equal(found.support, expected.support)
    np.testing.assert_array_equal(found.query, expected.query)
    # An older export of colours may name a ground.
    coloured = run_copy / "saved_model" / "1"
    edit(coloured / "tfmeta.json", example={"shape": [28, 28, 3], "dtype": "uint8"})
    left = read(coloured, dark_on_light)
    np.testing.assert_array_equal(left.query, 255 - expected.query.repeat(3, axis=3))
    assert not any("invert" in warning for warning in left.warnings)


def test_a_drop_of_colour_in_scans_is_named(model, dark_on_light):
    path = dark_on_light / "query" / "class3-11.png"
    stamped = Image.open(path).convert("RGB")
    stamped.paste((200, 30, 40), (20, 20, 27, 27))
    stamped.save(path)
    task = read(model, dark_on_light)
    assert task.query.mean() > 127
    assert "have colours (query/class3-11.png)" in task.warnings[-1]


@pytest.mark.parametrize("width", [1, 2, 4, 7])
@pytest.mark.parametrize("size", [28, 60, 150])
def test_ink_of_any_width_and_size_is_inverted_on_both_sides(
    model, tmp_path, width, size
):
    rng = np.random.default_rng(width)
    for part, count in (("support", 2), ("query", 1)):
        for label in range(3):
            folder = tmp_path / part / f"class{label}"
            folder.mkdir(parents=True)
            for shot in range(count):
                picture = Image.new("L", (size, size), 255)
                points = [tuple(p) for p in rng.uniform(0.15, 0.85, (4, 2)) * size]
                line = max(1, width * size // 60)
                ImageDraw.Draw(picture).line(points, fill=0, width=line)
                picture.save(folder / f"{shot}.png")
    found = read(model, tmp_path)
    left = read(model, tmp_path, invert="no")
    np.testing.assert_array_equal(found.support, 255 - left.support)
    np.testing.assert_array_equal(found.query, 255 - left.query)
    assert (
        "--support: inverted (6 dark on light); --query: inverted (3"
        in (found.warnings[-1])
    )


def test_a_single_query_is_inverted_with_the_support(model, dark_on_light):
    files = sorted((dark_on_light / "query").iterdir())
    for path in files[1:]:
        path.unlink()
    found = read(model, dark_on_light)
    assert found.query.shape == (1, 28, 28, 1)
    assert found.query.mean() < 127
    # An empty sheet says nothing of its ground, and goes with the others.
    Image.new("L", (28, 28), 255).save(files[0])
    assert not read(model, dark_on_light).query.any()


@pytest.mark.slow
def test_tasks_of_scans_of_omniglot(model, reference_data, tmp_path):
    path = reference_data / "omniglot" / "images_evaluation.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path) as archive:
        characters = {}
        for name in archive.namelist():
            if name.endswith(".png"):
                characters.setdefault(name.rpartition("/")[0], []).append(name)
        characters = sorted(characters.values())
        for number in range(200):
            task = tmp_path / str(number)
            chosen = rng.permutation(len(characters))[:5]
            for label, character in enumerate(chosen):
                names = [characters[character][i] for i in rng.permutation(20)[:2]]
                for part, name in zip(("support", "query"), names, strict=True):
                    file = task / part / f"class{label}" / "one.png"
                    file.parent.mkdir(parents=True)
                    file.write_bytes(archive.read(name))
            found = read(model, task)
            assert (
                "--support: inverted (5 dark on light); --query: inverted (5"
                in (found.warnings[-1])
            )
            assert max(found.support.mean(), found.query.mean()) < 80


@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, "uint8"), (3, "uint8"), (1, "uint16")]
)
def test_pictures_are_read_as_for_training(run_copy, tmp_path, channels, dtype):
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 256, (37, 52), np.uint8))
    colours = Image.fromarray(rng.integers(0, 256, (37, 52, 4), np.uint8))
    wide = Image.fromarray(rng.integers(0, 2**16, (37, 52), np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    for label in ("a", "b"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        grey.convert("1").save(folder / "bit.png")
        grey.convert("LA").save(folder / "la.png")
        grey.save(folder / "turned.jpg", exif=turned)
        colours.save(folder / "rgba.png")
        colours.convert("RGB").quantize(16).save(folder / "palette.png", transparency=3)
        wide.save(folder / "wide.png")
    form = {"size": (28, 24), "channels": channels, "dtype": dtype}
    table = open_own(tmp_path / "photos", **form)
    model = run_copy / "saved_model" / "1"
    example = {"shape": [28, 24, channels], "dtype": dtype}
    edit(model / "tfmeta.json", example=example, description={"light_ground": False})
    task = read_pictures(model, tmp_path / "photos", tmp_path / "photos")
    assert task.support.dtype == task.query.dtype == dtype
    np.testing.assert_array_equal(task.support, table.examples)
    np.testing.assert_array_equal(task.query, table.examples)
    inverted = read_pictures(
        model, tmp_path / "photos", tmp_path / "photos", invert="yes"
    )
    highest = np.iinfo(dtype).max
    np.testing.assert_array_equal(inverted.support, highest - task.support)
    np.testing.assert_array_equal(inverted.query, highest - task.query)


def test_a_model_of_sixteen_bits_is_given_sixteen(
    glyphs_run, run_copy, glyphs, task_folders
):
    learner = load_learner(RunFolder(glyphs_run))
    wide = ClassTable(
        "wide",
        np.asarray(glyphs.examples) * np.uint16(257),
        glyphs.offsets,
        glyphs.class_names,
    )
    model = export_run(RunFolder(run_copy), learner, wide)
    about = json.loads((model / "tfmeta.json").read_text())
    assert about["example"]["dtype"] == "uint16"
    assert about["example"]["value_range"] == [0, 65535]
    assert about["description"]["light_ground"] is False
    task = read(model, task_folders)
    assert task.support.dtype == task.query.dtype == np.uint16
    assert task.support.max() == 65535
    labels = np.eye(5, dtype="float32")[task.task.support_labels]
    state = learner.adapt(task.support[None], labels[None])
    logits = learner.predict_query(state, task.query[None])
    np.testing.assert_allclose(
        classify_pictures(model, task), tf.nn.softmax(logits)[0], rtol=0, atol=1e-5
    )


def test_a_model_of_dark_on_light_wants_that(run_copy, task_folders, dark_on_light):
    model = run_copy / "saved_model" / "1"
    about = json.loads((model / "tfmeta.json").read_text())
    about["description"]["light_ground"] = True
    edit(model / "tfmeta.json", description=about["description"])
    scanned, drawn = read(model, dark_on_light), read(model, task_folders)
    np.testing.assert_array_equal(scanned.query, drawn.query)
    assert scanned.warnings == ()
    assert "dark on light" in drawn.warnings[0]


def test_a_model_that_does_not_say_its_ground_inverts_nothing(run_copy, dark_on_light):
    model = run_copy / "saved_model" / "1"
    edit(model / "tfmeta.json", description={})
    task = read(model, dark_on_light)
    assert task.query.mean() > 127
    assert task.warnings == ()


def test_other_sizes_and_kinds_work_with_a_warning(model, task_folders):
    expected = read(model, task_folders)
    query = task_folders / "query"
    picture = Image.open(query / "class0-10.png")
    picture.convert("RGBA").save(query / "x-rgba.png")
    picture.convert("P").save(query / "x-palette.png")
    wide = np.asarray(picture).astype(np.uint16) * 257
    Image.fromarray(wide).save(query / "x-wide.png")
    Image.fromarray(wide).save(query / "x-wide.tiff")
    for width in (20, 30, 40, 50):
        picture.resize((width, 56)).save(query / f"y-{width}.png")
    task = read(model, task_folders)
    for path, pixels in zip(task.task.query, task.query, strict=True):
        if path.name.startswith("x"):
            np.testing.assert_array_equal(pixels, expected.query[0])
    sizes, kinds = task.warnings
    assert "28 x 28; these of 56 x 20, 56 x 30, 56 x 40 and 1 more sizes" in sizes
    assert "grey pictures; these of mode P, RGBA are converted" in kinds


def test_what_file_managers_leave_is_no_class(model, task_folders):
    expected = read(model, task_folders)
    (task_folders / "support" / "__MACOSX").mkdir()
    (task_folders / "support" / ".git").mkdir()
    for place in ("support", "support/class0", "query"):
        (task_folders / place / "Thumbs.db").write_bytes(b"x")
        (task_folders / place / ".DS_Store").write_bytes(b"x")
    task = read(model, task_folders)
    assert task.task.class_names == expected.task.class_names
    np.testing.assert_array_equal(task.query, expected.query)


def test_names_of_any_script(model, task_folders):
    support = task_folders / "support"
    (support / "class0").rename(support / "ب")
    (support / "class1").rename(support / "字 é")
    assert set(read(model, task_folders).task.class_names) >= {"ب", "字 é"}


def test_one_class_is_no_task(model, task_folders):
    for number in range(1, 5):
        shutil.rmtree(task_folders / "support" / f"class{number}")
    with pytest.raises(ValueError, match="support.*at least 2 classes.*1, 'class0'"):
        read(model, task_folders)


def test_damaged_and_missing_pictures_are_named(model, task_folders):
    picture = task_folders / "query" / "class1-10.png"
    content = picture.read_bytes()
    for damaged in (content[: len(content) // 2], b"no picture", b""):
        picture.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"query/class1-10.png.*whole, readable"):
            read(model, task_folders)
    picture.write_bytes(content)
    shutil.rmtree(task_folders / "query")
    with pytest.raises(FileNotFoundError, match="query.*must exist"):
        read(model, task_folders)


# The description of the model.


def test_the_newest_description_is_the_one_that_is_written(run_copy, task_folders):
    from tfmeta.export.saved_model import FORMAT_VERSION

    assert module._NEWEST_DESCRIPTION == FORMAT_VERSION
    model = run_copy / "saved_model" / "1"
    edit(model / "tfmeta.json", format_version=FORMAT_VERSION + 1)
    with pytest.raises(ValueError, match="tfmeta.json.*from a newer tfmeta"):
        read(model, task_folders)


def test_a_model_that_does_not_describe_itself_is_named(run_copy, task_folders):
    about = run_copy / "saved_model" / "1" / "tfmeta.json"
    text = about.read_text()
    about.write_text(text[:100])
    with pytest.raises(ValueError, match="tfmeta.json must be a JSON file"):
        read(about.parent, task_folders)
    about.write_text('{"format_version": 1}')
    with pytest.raises(ValueError, match="tfmeta.json.*without example"):
        read(about.parent, task_folders)
    about.unlink()
    with pytest.raises(FileNotFoundError, match="1 must be.*without tfmeta.json"):
        read(about.parent, task_folders)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [([28], "uint8"), ([28, 28, 4], "uint8"), ([None, 28, 1], "uint8")]
    + [([28, 28, 1], "float32")],
)
def test_a_model_for_other_examples_is_refused(run_copy, task_folders, shape, dtype):
    model = run_copy / "saved_model" / "1"
    edit(model / "tfmeta.json", example={"shape": shape, "dtype": dtype})
    with pytest.raises(ValueError, match=f"uint8 pictures.*{dtype} examples"):
        read(model, task_folders)


# The answer.


def test_probabilities_are_those_of_the_learner(glyphs_run, model, task_folders):
    task = read(model, task_folders)
    found = classify_pictures(model, task)
    learner = load_learner(RunFolder(glyphs_run))
    labels = np.eye(5, dtype="float32")[task.task.support_labels]
    state = learner.adapt(task.support[None], labels[None])
    logits = learner.predict_query(state, task.query[None])
    assert found.dtype == np.float32
    assert found.shape == (10, 5)
    np.testing.assert_allclose(found, tf.nn.softmax(logits)[0], rtol=0, atol=1e-5)


def test_colour_pictures(run_copy, task_folders):
    from tfmeta.encoders import Conv4
    from tfmeta.learners import PrototypicalNetwork

    learner = PrototypicalNetwork(Conv4((32, 24, 3), filters=2, seed=0))
    model = export.save(learner, run_copy / "saved_model")
    task = read(model, task_folders)
    assert task.support.shape == (15, 32, 24, 3)
    assert "mode L are converted" in task.warnings[1]
    assert classify_pictures(model, task).sum(axis=1) == pytest.approx(np.ones(10))


@pytest.mark.parametrize("number", range(4))
def test_a_damaged_model_is_named(run_copy, task_folders, number):
    model = run_copy / "saved_model" / "1"
    task = read(model, task_folders)
    variables = model / "variables"
    path = (
        model / "saved_model.pb",
        variables / "variables.data-00000-of-00001",
        variables / "variables.index",
        variables / "variables.index",
    )[number]
    if number == 3:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="saved_model/1 must be a whole SavedModel"):
        classify_pictures(model, task)
