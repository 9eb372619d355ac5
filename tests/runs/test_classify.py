import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta import export
from tfmeta.runs import classify as module
from tfmeta.runs.classify import classify_pictures, find_saved_model, read_pictures
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@pytest.fixture(scope="module")
def model(glyphs_run):
    return glyphs_run / "saved_model" / "1"


def read(model, task, **options):
    return read_pictures(model, task / "support", task / "query", **options)


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
    edit(run_copy / "config.json", format_version=2)
    with pytest.raises(ValueError, match="config.json.*from a newer"):
        find_saved_model(run_copy)


# Reading the pictures.


def test_pictures_come_back_as_they_were_drawn(model, task_folders, glyphs):
    task = read(model, task_folders)
    assert task.warnings == ()
    assert task.class_names == tuple(f"class{i}" for i in range(5))
    np.testing.assert_array_equal(task.support_labels, np.repeat(np.arange(5), 3))
    assert task.support_labels.dtype == np.int32
    drawings = [glyphs.examples_of(c) for c in (3, 40, 77, 150, 200)]
    np.testing.assert_array_equal(
        task.support, np.concatenate([d[:3] for d in drawings])
    )
    np.testing.assert_array_equal(
        task.query, np.concatenate([d[10:12] for d in drawings])
    )
    assert [p.name for p in task.query_paths] == [
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
    assert left.warnings == forced.warnings == ()


def test_support_and_queries_are_inverted_each_as_it_needs(
    model, task_folders, dark_on_light
):
    expected = read(model, task_folders)
    mixed = read_pictures(model, dark_on_light / "support", task_folders / "query")
    np.testing.assert_array_equal(mixed.support, expected.support)
    np.testing.assert_array_equal(mixed.query, expected.query)
    assert len(mixed.warnings) == 1


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
    for path, pixels in zip(task.query_paths, task.query, strict=True):
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
    assert task.class_names == expected.class_names
    np.testing.assert_array_equal(task.query, expected.query)


def test_names_of_any_script(model, task_folders):
    support = task_folders / "support"
    (support / "class0").rename(support / "ب")
    (support / "class1").rename(support / "字 é")
    assert set(read(model, task_folders).class_names) >= {"ب", "字 é"}


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
    (task_folders / "support" / "class5").mkdir()
    with pytest.raises(ValueError, match="class5.*at least one picture"):
        read(model, task_folders)
    (task_folders / "support" / "class5").rmdir()
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
    labels = np.eye(5, dtype="float32")[task.support_labels]
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
