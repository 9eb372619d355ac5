import json

import pytest
from PIL import Image

from tfmeta.datasets import load
from tfmeta.datasets.omniglot.lake_runs import runs_path
from tfmeta.datasets.omniglot.pictures import size_path
from tfmeta.runs.measuring.lake import Lake
from tfmeta.runs.run_folder import RunFolder, write_json


@pytest.fixture
def evaluate_lake(call, run_copy, lake_dir):
    def evaluate_lake(*options, data_dir=lake_dir):
        return call(
            *("evaluate", run_copy, "--protocol", "lake"),
            *("--data-dir", data_dir, *options),
        )

    return evaluate_lake


def test_a_run_of_another_data_set_is_measured_and_drawn(evaluate_lake, run_copy):
    metrics = (run_copy / "metrics.json").read_bytes()
    done = evaluate_lake()
    assert (done.code, done.err) == (0, "")
    (result,) = Lake().read(RunFolder(run_copy))
    picture = run_copy / "lake.png"
    assert done.out == f"{result}\nEvery answer is drawn in {picture}\n"
    assert "28x28, inductive" in done.out
    assert len(set(result.predicted.ravel().tolist())) > 10
    assert picture.stat().st_size > 10_000
    assert (run_copy / "metrics.json").read_bytes() == metrics


def test_the_untrained_learner_leaves_nothing(evaluate_lake, run_copy, hash_tree):
    (run_copy / "learner.keras").unlink()
    before = hash_tree(run_copy)
    done = evaluate_lake("--untrained")
    assert (done.code, done.err) == (0, "")
    assert "% error (" in done.out and "drawn" not in done.out
    assert hash_tree(run_copy) == before


def test_a_run_that_saw_characters_of_the_test_has_no_figure(
    evaluate_lake, run_copy, omniglot_dir, hash_tree
):
    splits = {
        split: load("omniglot", split=split, data_dir=omniglot_dir)
        for split in ("train", "validation")
    }
    seen = {split: sorted(set(table.origins)) for split, table in splits.items()}
    write_json(run_copy / "classes.json", seen)
    before = hash_tree(run_copy)
    error = evaluate_lake().error
    assert "train with `--protocol lake`" in error
    assert "of the 200, among them omniglot/" in error
    assert hash_tree(run_copy) == before


def test_pictures_that_are_not_there_are_named_with_the_command(
    evaluate_lake, run_copy, tmp_path, hash_tree
):
    before = hash_tree(run_copy)
    error = evaluate_lake(data_dir=tmp_path / "empty").error
    assert "all_runs.zip" in error
    assert "`tfmeta datasets import omniglot --from DIR`" in error
    assert hash_tree(run_copy) == before


@pytest.mark.parametrize(
    "options", [("--ways", 5), ("--shots", 5), ("--seed", 0), ("--realistic",)]
)
def test_what_the_test_leaves_no_choice_of_is_refused(evaluate_lake, options):
    error = evaluate_lake(*options).usage_error
    assert f"{options[0]} must be left out with --protocol lake" in error


def test_no_run_no_figure(call, tmp_path):
    error = call("evaluate", tmp_path, "--protocol", "lake").error
    assert error.startswith(f"{tmp_path} must be a run folder")


@pytest.mark.slow
def test_from_training_to_the_figure(call, omniglot_dir, lake_dir, tmp_path):
    for path in (size_path(omniglot_dir), runs_path(lake_dir)):
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables" / path.name).symlink_to(path)
    run = tmp_path / "run"
    trained = call(
        *("train", "--dataset", "omniglot", "--protocol", "lake", "--run", run),
        *("--data-dir", tmp_path, "--epochs", 1, "--steps-per-epoch", 5),
        *("--filters", 8, "--train-ways", 10, "--train-queries", 2, "--queries", 2),
        *("--ways", 5, "--validation-episodes", 8, "--test-episodes", 600),
    )
    assert (trained.code, trained.err) == (0, "")
    done = call("evaluate", run, "--protocol", "lake", "--data-dir", tmp_path)
    assert (done.code, done.err) == (0, "")
    kept = json.loads((run / "lake.json").read_text())["result"]
    assert f"{100 * kept['error']:.1f} % error" in done.out
    assert len(kept["runs"]) == 20


@pytest.mark.slow
def test_a_run_of_dark_on_light_is_measured_on_such(
    evaluate_lake, run_copy, glyphs, tmp_path
):
    folder = tmp_path / "sheets"
    for class_id in range(10):
        (folder / f"class{class_id}").mkdir(parents=True)
        for number, drawing in enumerate(glyphs.examples_of(class_id)[:3, ..., 0]):
            path = folder / f"class{class_id}" / f"{number}.png"
            Image.fromarray(255 - drawing).save(path)
    path = run_copy / "config.json"
    config = json.loads(path.read_text())
    names = [f"sheets/class{number}" for number in range(10)]
    splits = {"train": names[:6], "validation": names[6:8], "test": names[8:]}
    of_own = {"dataset": str(folder), "protocol": None, "splits": splits}
    config["config"] = {**config["config"], **of_own}
    write_json(path, config)
    done = evaluate_lake()
    assert (done.code, done.err) == (0, "")
    said, _ = done.out.split("\n", 1)
    assert said == (
        "The run was trained on dark on light and Lake's pictures are light on dark: "
        "support and queries are inverted"
    )
