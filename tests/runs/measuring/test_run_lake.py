import json

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.datasets.omniglot.lake_runs import load_lake_runs
from tfmeta.evaluation import LakeResult
from tfmeta.learners import PrototypicalNetwork
from tfmeta.runs.lake_picture import draw_lake
from tfmeta.runs.measuring.lake import Lake, LakePictures
from tfmeta.runs.measuring.measure import measure_part
from tfmeta.runs.run_folder import RunFolder, write_json

GREEN, RED = (26, 127, 55), (207, 34, 46)


@pytest.fixture
def folder(tmp_path):
    """A run folder that says that training saw nothing of the test."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    classes = {"train": ["omniglot/Greek/character01"], "validation": []}
    write_json(folder.classes_file, classes)
    return folder


def nearest_pixels(*shape):
    return PrototypicalNetwork(
        keras.Sequential([keras.Input(shape), keras.layers.Flatten()])
    )


def evaluate_run_on_lake(folder, learner, *, trained_on=None, data_dir, **options):
    pictures = LakePictures(trained_on, data_dir)
    return measure_part(folder, learner, Lake(), pictures, **options)


def count_frames(path, colour):
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return int(np.sum(np.all(pixels == colour, axis=-1)))


def test_the_pictures_come_in_the_learners_size_and_the_result_is_kept(
    folder, lake_dir
):
    assert Lake().find(folder) is None
    for size in (12, 28):
        learner = nearest_pixels(size, size, 1)
        result = evaluate_run_on_lake(folder, learner, data_dir=lake_dir)
        assert result.size == size
        assert Lake().find(folder).to_json() == result.to_json()
    names = {"classes.json", "lake.json", "lake.png"}
    assert {path.name for path in folder.path.iterdir()} == names
    assert count_frames(folder.lake_picture, RED) > 1000


def strong_ink(scale, offset):
    """Compares how much the ink is above 0.3, which tells inversion and scale."""
    pixels = keras.Input((28, 28, 1))
    ink = keras.layers.Rescaling(scale, offset - 0.3)(pixels)
    above = keras.layers.Flatten()(keras.layers.ReLU()(ink))
    return PrototypicalNetwork(keras.Model(pixels, above))


@pytest.mark.parametrize(
    ("dtype", "light"),
    [
        *(("uint8", True), ("uint16", False)),
        pytest.param("uint8", False, marks=pytest.mark.slow),
        pytest.param("uint16", True, marks=pytest.mark.slow),
    ],
)
def test_the_pictures_look_as_those_of_training(folder, lake_dir, glyphs, light, dtype):
    options = {"data_dir": lake_dir, "keep": False}
    expected = evaluate_run_on_lake(folder, strong_ink(1 / 255, 0.0), **options)
    highest = np.iinfo(dtype).max
    ink = np.asarray(glyphs.examples)[:100].astype(dtype) * (highest // 255)
    names = [f"class{n % 5}" for n in range(100)]
    table = ClassTable.from_arrays("own", highest - ink if light else ink, names)
    learner = strong_ink(-1 / highest if light else 1 / highest, float(light))
    found = evaluate_run_on_lake(folder, learner, trained_on=table, **options)
    # Rounding alone may tip an answer.
    assert np.mean(found.predicted == expected.predicted) > 0.99
    otherwise = evaluate_run_on_lake(folder, learner, **options)
    plain = (light, dtype) == (False, "uint8")
    assert plain == (np.mean(otherwise.predicted == expected.predicted) > 0.99)


def test_arrays_of_other_numbers_are_refused(folder, lake_dir):
    table = ClassTable.from_arrays(
        "own", np.zeros((4, 28, 28, 1), "float32"), list("aabb")
    )
    with pytest.raises(ValueError, match="uint8 or uint16.*float32 \\('own'\\)"):
        evaluate_run_on_lake(
            folder, nearest_pixels(28, 28, 1), trained_on=table, data_dir=lake_dir
        )


def test_nothing_is_kept_that_is_not_to_be(folder, lake_dir, hash_tree):
    before = hash_tree(folder.path)
    learner = nearest_pixels(10, 10, 1)
    result = evaluate_run_on_lake(folder, learner, data_dir=lake_dir, keep=False)
    assert result.wrong.size == 400
    assert hash_tree(folder.path) == before


@pytest.mark.parametrize("shape", [(28, 28, 3), (28, 20, 1), (784,), (None, None, 1)])
def test_learners_of_no_such_pictures_are_named(folder, lake_dir, shape):
    if None in shape:
        encoder = keras.Sequential(
            [keras.Input(shape), keras.layers.GlobalAveragePooling2D()]
        )
        learner = PrototypicalNetwork(encoder)
    else:
        learner = nearest_pixels(*shape)
    with pytest.raises(ValueError, match="learner of square grey pictures") as caught:
        evaluate_run_on_lake(folder, learner, data_dir=lake_dir)
    assert str(folder.path) in str(caught.value) and str(shape) in str(caught.value)


def test_a_run_that_does_not_say_what_it_saw_has_no_figure(folder, lake_dir):
    folder.classes_file.unlink()
    with pytest.raises(FileNotFoundError, match="no figure can be reported"):
        evaluate_run_on_lake(folder, nearest_pixels(8, 8, 1), data_dir=lake_dir)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format_version": 1}, "Received: a file without result"),
        ({"format_version": 3, "result": {}}, "at most 2. Received: 3"),
        ({"format_version": 1, "result": {"runs": []}}, "remove the file and evaluate"),
        ({"format_version": 1, "result": []}, "remove the file and evaluate"),
    ],
)
def test_a_damaged_result_is_named(folder, values, message):
    folder.lake_file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="lake.json") as caught:
        Lake().find(folder)
    assert message in str(caught.value)


def test_right_is_green_and_wrong_is_red(lake_dir, tmp_path):
    runs = load_lake_runs(data_dir=lake_dir)

    def drawn(wrong):
        predicted = (runs.labels + wrong) % 20
        result = LakeResult(28, False, runs.alphabets, runs.labels, predicted)
        draw_lake(runs, result, tmp_path / "lake.png")
        assert [path.name for path in tmp_path.iterdir()] == ["lake.png"]
        return [count_frames(tmp_path / "lake.png", c) for c in (GREEN, RED)]

    all_right, all_wrong = drawn(0), drawn(1)
    assert all_right[0] > 1000 and all_right[1] == 0
    # A wrong one has two frames: its own, and that of what it was taken for.
    assert all_wrong[0] == 0 and all_wrong[1] > 1.5 * all_right[0]
