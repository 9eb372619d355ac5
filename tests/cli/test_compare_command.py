import json
import shutil

import numpy as np
import pytest

from tfmeta.evaluation import compare
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder, write_json


@pytest.fixture
def other_run(glyphs_run, tmp_path):
    """A copy whose kept figure is 2 to 6 points lower in every episode and class."""
    folder = RunFolder(shutil.copytree(glyphs_run, tmp_path / "other"))
    values = json.loads(folder.metrics_file.read_text())
    (result,) = values["results"]
    generator = np.random.default_rng(0)
    # Each class by an amount of its own, which is what other classes would change.
    of_class = generator.uniform(0.02, 0.06, len(result["classes"]))
    lower = of_class[np.array(result["episode_classes"])].mean(axis=1)
    result["episode_accuracies"] = (result["episode_accuracies"] - lower).tolist()
    for of_class in result["classes"]:
        of_class["correct"] -= int(of_class["total"] * 0.04) + 1
    write_json(folder.metrics_file, values)
    return folder.path


def test_kept_figures_are_compared(call, glyphs_run, other_run, hash_tree):
    before = hash_tree(glyphs_run), hash_tree(other_run)
    done = call("compare", glyphs_run, other_run, "--episodes", 600)
    assert (done.code, done.err) == (0, "")
    first, second = (read_results(RunFolder(r))[0] for r in (glyphs_run, other_run))
    found = compare(first, second)
    assert found.better == "first"
    assert done.out == (
        f"{glyphs_run}\n{first}\n\n{other_run}\n{second}\n\n"
        f"{glyphs_run} minus {other_run}: {found}\n"
        f"{glyphs_run} is better, of these two trainings.\n"
    )
    turned = call("compare", other_run, glyphs_run, "--episodes", 600)
    assert turned.out.endswith(f"\n{glyphs_run} is better, of these two trainings.\n")
    # Nothing had to be measured.
    assert (hash_tree(glyphs_run), hash_tree(other_run)) == before


def test_what_is_missing_is_measured_and_kept(call, run_copy, glyphs_run, tmp_path):
    same = shutil.copytree(run_copy, tmp_path / "same")
    options = ("--ways", 3, "--queries", 2, "--seed", 5, "--episodes", 600)
    done = call("compare", run_copy, same, *options)
    assert (done.code, done.err) == (0, "")
    for run in (run_copy, same):
        _, kept = read_results(RunFolder(run))
        p = kept.protocol
        assert (p["ways"], p["shots"], p["queries"], p["seed"]) == (3, 1, 2, 5)
    assert "difference +0.00 points" in done.out
    assert done.out.endswith("Neither is shown to be better: an interval includes 0.\n")


def test_runs_on_other_data_are_refused(call, run_copy, glyphs_run, tmp_path):
    config = run_copy / "config.json"
    values = json.loads(config.read_text())
    values["config"]["dataset"] = str(tmp_path / "own")
    config.write_text(json.dumps(values))
    generator = np.random.default_rng(0)
    for number in range(15):
        folder = tmp_path / "own" / f"class{number:02d}"
        folder.mkdir(parents=True)
        for example in range(8):
            np.save(folder / f"{example}.npy", generator.normal(size=4))
    options = ("--episodes", 600, "--ways", 2)
    error = call("compare", glyphs_run, run_copy, *options).error
    assert error.startswith("runs compare on the same test data only")
    assert f"{glyphs_run} with dataset='glyphs'" in error
    assert f"{run_copy} with dataset='{tmp_path / 'own'}'" in error


def test_no_run_no_comparison(call, glyphs_run, tmp_path):
    for pair in ((glyphs_run, tmp_path), (tmp_path, glyphs_run)):
        error = call("compare", *pair).error
        assert error.startswith(f"{tmp_path} must be a run folder")
    assert "Missing argument" in call("compare", glyphs_run).usage_error
