import json

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.evaluation import evaluate
from tfmeta.export.model_card import model_card
from tfmeta.learners import SemiSupervisedPrototypicalNetwork
from tfmeta.runs.export import export_run
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.on_episodes import metrics, read_results
from tfmeta.runs.measuring.open_set import OpenSet
from tfmeta.runs.measuring.standard import draw_test_episodes
from tfmeta.runs.run_description import describe_export
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@pytest.fixture(scope="module")
def learner(glyphs_run):
    return load_learner(RunFolder(glyphs_run))


def card_of(version):
    return (version / "MODEL_CARD.md").read_text("utf-8")


def card_now(folder, table, **changes):
    """The card of another export of the run, without the time that it takes."""
    about = json.loads((folder.saved_model / "1" / "tfmeta.json").read_text("utf-8"))
    described = json.loads(json.dumps(describe_export(folder, table)))
    return model_card({**about, "description": described, **changes})


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
    assert card_of(version) == card_of(folder.saved_model / "1")
    assert card_of(version) == card_now(folder, glyphs)
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


def percent(value):
    return f"{100 * value:.2f}"


def test_each_figure_of_the_card_is_that_of_the_result_file(run_copy, learner, glyphs):
    folder = RunFolder(run_copy)
    measure(folder, learner, OpenSet(num_episodes=600, ways=(3,)))
    card = card_now(folder, glyphs)
    (kept,) = json.loads(folder.metrics_file.read_text())["results"]
    low, high = map(percent, kept["over_test_classes"]["ends"])
    protocol = kept["protocol"]
    assert (
        f"| 5-way 1-shot, 5 queries a class | 600, seed {protocol['seed']} | "
        f"{percent(kept['accuracy'])} | ± {percent(kept['over_episode_draws'])} | "
        f"{low} to {high} | 20.00 | {kept['expected_calibration_error']:.4f} | "
        "inductive |"
    ) in card
    recalls = [c["correct"] / c["total"] for c in kept["classes"] if c["total"]]
    assert (
        f"the median recall of {len(recalls)} test classes is "
        f"{percent(np.median(recalls))} %, the lowest {percent(min(recalls))} %"
    ) in card
    (kept,) = json.loads(folder.open_set_file.read_text())["results"]
    for name, form, scale in (
        ("auroc", "{:.4f}", 1),
        ("open_accuracies", "{:.2f}", 100),
        ("known_accepted", "{:.2f}", 100),
        ("unknown_rejected", "{:.2f}", 100),
    ):
        figure = kept["figures"][name]
        shown = [figure["mean"], figure["over_episode_draws"]]
        assert f"| {' ± '.join(form.format(scale * x) for x in shown)}, " in card
    threshold = kept["threshold"]
    assert f"| {threshold['score']} of {threshold['value']:.4g} |" in card
    assert "3-way 1-shot, 5 queries a class, 3 unknown classes | 600, seed 0" in card


def test_the_card_says_data_classes_and_command(run_copy):
    folder = RunFolder(run_copy)
    card = card_of(folder.saved_model / "1")
    about = description(folder.saved_model / "1")
    classes = json.loads(folder.classes_file.read_text())
    assert about["classes"] == classes
    assert about["training_data_licence"].startswith("Apache 2.0")
    for fact in (
        f"{len(classes['train'])} in train (alphabet00/character00, ",
        f"{len(classes['validation'])} in validation (",
        "24 steps with seed 3",
        "--epochs 8 --steps-per-epoch 3",
        "light on dark ground",
        "28 × 28 × 1, uint8",
    ):
        assert fact in card


def test_the_card_of_a_run_that_was_not_measured(run_copy, glyphs):
    folder = RunFolder(run_copy)
    folder.metrics_file.unlink()
    folder.classes_file.unlink()
    card = card_now(folder, glyphs)
    assert "It was not measured" in card and "the run does not say" in card


@pytest.mark.slow
def test_the_card_of_a_transductive_figure(run_copy, glyphs):
    folder = RunFolder(run_copy)
    folder.metrics_file.unlink()
    learner = SemiSupervisedPrototypicalNetwork(
        Conv4(filters=4, blocks=2, seed=0), unlabelled_from="queries"
    )
    episodes = draw_test_episodes(folder.read_config())
    result = evaluate(
        learner, episodes, num_episodes=600, seen_classes=folder.seen_classes()
    )
    metrics(folder).keep(result)
    card = card_now(folder, glyphs, transductive=learner.transductive)
    assert f"| {percent(result.accuracy)} |" in card and "| transductive |" in card
    alone = percent(result.transduction.alone.mean())
    assert f"{alone} % when each query is answered by itself" in card
    assert "**Transductive:**" in card
