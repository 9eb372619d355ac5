import json

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.runs.evaluate import read_results
from tfmeta.runs.export import export_run, light_ground
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@pytest.fixture(scope="module")
def learner(glyphs_run):
    return load_learner(RunFolder(glyphs_run))


def description(version):
    return json.loads((version / "tfmeta.json").read_text("utf-8"))["description"]


def test_the_next_version_says_what_it_was_trained_on(
    run_copy, learner, glyphs, hash_tree
):
    folder = RunFolder(run_copy)
    before = hash_tree(folder.saved_model / "1")
    version = export_run(folder, learner, glyphs)
    assert version == folder.saved_model / "2"
    assert hash_tree(folder.saved_model / "1") == before
    about = description(version)
    assert about == description(folder.saved_model / "1")
    assert about["training_data"] == "glyphs-seed0"
    assert about["light_ground"] is False
    assert about["protocol"] == folder.read_config().to_json()
    (figure,) = about["test_figures"]
    (result,) = read_results(folder)
    assert figure["accuracy"] == result.accuracy
    assert figure["over_test_classes"] == list(result.over_test_classes)
    assert (figure["ways"], figure["shots"], figure["episodes"]) == (5, 1, 600)
    assert figure["transductive"] is False


def test_elsewhere_without_figures_on_a_light_ground(
    run_copy, learner, glyphs, tmp_path
):
    folder = RunFolder(run_copy)
    folder.metrics_file.unlink()
    scanned = ClassTable(
        "scans", 255 - np.asarray(glyphs.examples), glyphs.offsets, glyphs.class_names
    )
    version = export_run(folder, learner, scanned, tmp_path / "served")
    assert version == tmp_path / "served" / "1"
    about = description(version)
    assert about["light_ground"] is True
    assert about["training_data"] == "scans"
    assert about["test_figures"] == []


def own_table(examples):
    labels = np.arange(len(examples)) // 5
    return ClassTable.from_arrays("own", examples, [f"class{n:03d}" for n in labels])


def test_a_ground_is_named_where_it_is_clear(glyphs):
    rng = np.random.default_rng(0)
    ink = np.asarray(glyphs.examples)[:200]
    assert light_ground(own_table(ink)) is False
    assert light_ground(own_table(255 - ink)) is True
    assert light_ground(own_table((255 - ink) * np.uint16(257))) is True
    one_wrong = 255 - ink
    one_wrong[7] = ink[7]
    assert light_ground(own_table(one_wrong)) is True
    both = ink.copy()
    both[::4] = 255 - both[::4]
    shares = rng.uniform(0.2, 0.8, (200, 1, 1, 1))
    two_levels = np.where(rng.random((200, 28, 28, 1)) < shares, 225, 30)
    small = rng.uniform(0, 255, (200, 6, 6)).astype(np.uint8)
    photographs = [np.asarray(Image.fromarray(p).resize((28, 28))) for p in small]
    for unclear in (
        *(both, two_levels.astype(np.uint8), np.array(photographs)[..., None]),
        *(ink.repeat(3, axis=3), 255 - ink.repeat(3, axis=3)),
        *(ink.astype("float32") / 255, ink[..., 0]),
    ):
        assert light_ground(own_table(unclear)) is None


def test_shares_are_not_taken_for_levels(run_copy, learner, glyphs):
    # Arrays from 0 to 1: pictures of 0 to 255 would not be what was trained on.
    examples = np.asarray(glyphs.examples)[:50].astype("float32") / 255
    version = export_run(RunFolder(run_copy), learner, own_table(examples))
    about = json.loads((version / "tfmeta.json").read_text("utf-8"))
    assert about["example"]["dtype"] == "float32"
    assert about["description"]["light_ground"] is None


def test_damaged_figures_write_no_version(run_copy, learner, glyphs):
    folder = RunFolder(run_copy)
    folder.metrics_file.write_text("{")
    with pytest.raises(ValueError, match="metrics.json"):
        export_run(folder, learner, glyphs)
    assert not (folder.saved_model / "2").exists()
