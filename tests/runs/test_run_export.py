import json

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.runs.export import export_run
from tfmeta.runs.measuring.on_episodes import read_results
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
    assert figure["over_test_classes"] == result.over_test_classes.to_json()
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


def test_shares_are_not_taken_for_levels(run_copy, learner, glyphs):
    # Arrays from 0 to 1: pictures of 0 to 255 would not be what was trained on.
    examples = np.asarray(glyphs.examples)[:50].astype("float32") / 255
    labels = [f"class{n:03d}" for n in np.arange(50) // 5]
    table = ClassTable.from_arrays("own", examples, labels)
    version = export_run(RunFolder(run_copy), learner, table)
    about = json.loads((version / "tfmeta.json").read_text("utf-8"))
    assert about["example"]["dtype"] == "float32"
    assert about["description"]["light_ground"] is None


def test_damaged_figures_write_no_version(run_copy, learner, glyphs):
    folder = RunFolder(run_copy)
    folder.metrics_file.write_text("{")
    with pytest.raises(ValueError, match="metrics.json"):
        export_run(folder, learner, glyphs)
    assert not (folder.saved_model / "2").exists()
