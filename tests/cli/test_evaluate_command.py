import json
import shutil

import pytest
from PIL import Image

from tfmeta.evaluation import over_training_seeds
from tfmeta.runs.measuring.instances import Instances
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.open_set import OpenSet
from tfmeta.runs.run_folder import RunFolder


def test_every_combination_is_printed_and_kept(call, run_copy):
    folder = RunFolder(run_copy)
    (trained,) = read_results(folder)
    done = call(
        *("evaluate", run_copy, "--episodes", 600, "--seed", 4, "--queries", 3),
        *("--ways", 2, "--ways", 3, "--shots", 1, "--shots", 2),
    )
    assert (done.code, done.err) == (0, "")
    first, *found = read_results(folder)
    assert first.to_json() == trained.to_json()
    keys = ("ways", "shots", "queries", "seed", "episodes")
    assert [tuple(r.protocol[k] for k in keys) for r in found] == [
        (ways, shots, 3, 4, 600) for ways in (2, 3) for shots in (1, 2)
    ]
    assert done.out == "".join(f"{result}\n" for result in found)


def test_what_is_left_out_is_as_in_the_run(call, run_copy):
    before = read_results(RunFolder(run_copy))
    done = call("evaluate", run_copy, "--episodes", 600)
    assert "5-way 1-shot on glyphs-seed0, 5 queries a class, inductive" in done.out
    assert "(600 episodes, seed 0)" in done.out
    after = read_results(RunFolder(run_copy))
    assert [r.protocol for r in after] == [r.protocol for r in before]
    assert after[0].accuracy == pytest.approx(before[0].accuracy, abs=1e-6)


def test_the_untrained_learner_is_measured_but_not_kept(call, run_copy, hash_tree):
    (run_copy / "learner.keras").unlink()
    before = hash_tree(run_copy)
    done = call("evaluate", run_copy, "--episodes", 600, "--untrained")
    assert (done.code, done.err) == (0, "")
    assert "5-way 1-shot" in done.out
    assert hash_tree(run_copy) == before


def test_realistic_episodes_stand_side_by_side_and_are_kept(call, run_copy):
    folder = RunFolder(run_copy)
    (trained,) = read_results(folder)
    options = ("--episodes", 600, "--seed", 4, "--queries", 1, "--ways", 2)
    done = call("evaluate", run_copy, "--realistic", *options)
    assert (done.code, done.err) == (0, "")
    first, *found = read_results(folder)
    assert first.to_json() == trained.to_json()
    assert [(r.protocol["ways"], r.protocol["same_group"]) for r in found] == [
        *((2, False), (2, True), (240, False)),
    ]
    title, *lines = filter(str.strip, done.out.splitlines())
    assert title.startswith("1-shot on glyphs-seed0, 1 queries a class, inductive")
    header, _, *rows = (line.split("  ") for line in lines)
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert [c.strip() for c in header if c.strip()] == [
        *("uniform", "same alphabet", "all classes"),
    ]
    by_name = {name: values for name, *values in cells}
    assert by_name["ways"] == ["2", "2", "240"]
    assert by_name["accuracy, %"] == [f"{100 * r.accuracy:.2f}" for r in found]
    assert by_name["95 % over episode draws"] == [
        f"± {100 * r.over_episode_draws:.2f}" for r in found
    ]
    assert by_name["95 % over test classes"] == [
        r.over_test_classes.text() for r in found
    ]
    assert by_name["chance, %"] == ["50.00", "50.00", "0.42"]
    assert by_name["AUROC"] == [f"{r.auroc:.4f}" for r in found[:2]]
    assert len(read_results(folder)) == 4


@pytest.mark.slow
def test_unknown_classes_are_measured_and_the_threshold_kept(call, run_copy):
    options = ("--episodes", 600, "--ways", 3, "--unknown-ways", 2, "--seed", 4)
    before = (run_copy / "metrics.json").read_bytes()
    done = call("evaluate", run_copy, "--open-set", *options)
    assert (done.code, done.err) == (0, "")
    (found,) = OpenSet().read(RunFolder(run_copy))
    assert done.out == f"{found}\n"
    p = found.protocol
    assert (p["ways"], p["unknown_ways"], p["shots"], p["seed"]) == (3, 2, 1, 4)
    assert p["fingerprint"] != found.threshold.protocol["fingerprint"]
    assert (run_copy / "metrics.json").read_bytes() == before
    # The same protocol: replaced. Another: added.
    for ways, count in ((3, 1), (2, 2)):
        options = ("--episodes", 600, "--ways", ways, "--unknown-ways", 2, "--seed", 4)
        call("evaluate", run_copy, "--open-set", *options)
        kept = OpenSet().read(RunFolder(run_copy))
        assert len(kept) == count
    assert kept[0].to_json() == found.to_json()
    (run_copy / "open_set.json").write_text('{"format_version": 1, "results": [{}]}')
    error = call("evaluate", run_copy, "--open-set").error
    assert error.startswith(f"{run_copy / 'open_set.json'} must hold results")


def test_the_confusion_is_drawn(call, run_copy):
    done = call("evaluate", run_copy, "--episodes", 600, "--confusion")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f"{run_copy / 'confusion.png'}\n")
    assert Image.open(run_copy / "confusion.png").size[0] > 1000


def test_accuracy_by_instance_is_printed_kept_and_drawn(call, run_copy):
    folder = RunFolder(run_copy)
    before = folder.metrics_file.read_bytes()
    options = ("--episodes", 600, "--ways", 3, "--instances", 4, "--seed", 2)
    done = call("evaluate", run_copy, "--protocol", "instances", *options)
    assert (done.code, done.err) == (0, "")
    (found,) = Instances().read(folder)
    assert done.out == f"{found}\n  drawn in {folder.instances_picture}\n"
    p = found.protocol
    assert (p["ways"], p["instances"], p["seed"], p["episodes"]) == (3, 4, 2, 600)
    assert found.accuracy(1) == 0 and found.accuracy(4) > found.chance
    assert Image.open(folder.instances_picture).size[0] > 1000
    assert folder.metrics_file.read_bytes() == before
    folder.instances_file.write_text('{"format_version": 1, "results": [{}]}')
    error = call("evaluate", run_copy, "--protocol", "instances").error
    assert error.startswith(f"{folder.instances_file} must hold results")


def test_several_trainings_and_their_spread(call, run_copy, glyphs_run):
    config = json.loads((run_copy / "config.json").read_text())
    config["config"]["seed"] = 8
    (run_copy / "config.json").write_text(json.dumps(config))
    before = (glyphs_run / "metrics.json").read_bytes()
    runs = (run_copy, shutil.copytree(glyphs_run, run_copy.parent / "other"))
    done = call("evaluate", *runs, "--episodes", 600, "--ways", 2)
    assert (done.code, done.err) == (0, "")
    kept = [read_results(RunFolder(run))[-1] for run in runs]
    expected = "".join(
        f"{run}, training seed {seed}\n{result}\n"
        for run, seed, result in zip(runs, (8, 3), kept, strict=True)
    )
    assert done.out == (
        f"{expected}\n2-way 1-shot on glyphs-seed0: {over_training_seeds(kept)}\n"
    )
    error = call("evaluate", glyphs_run, runs[1]).error
    assert "must have different training seeds" in error
    assert (glyphs_run / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--realistic", "--ways", 300), "`--ways` must be at most"),
        (("--ways", 5000), "`--ways` must fit into the 240 test classes"),
        (
            ("--shots", 16),
            "`--queries` as in the run. Received: --shots=16",
        ),
        (("--open-set", "--ways", 200), "200 known and 1 unknown ones"),
        (
            ("--protocol", "instances", "--instances", 21),
            "`--instances` must be at most 20",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(call, glyphs_run, hash_tree, options, message):
    before = hash_tree(glyphs_run)
    assert message in call("evaluate", glyphs_run, *options).error
    assert hash_tree(glyphs_run) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--unknown-ways", 2), "--unknown-ways needs --open-set"),
        (("--realistic", "--open-set"), "one at a time"),
        (("--instances", 5), "--instances needs --protocol instances"),
        (
            ("--protocol", "instances", "--shots", 5),
            "--shots must be left out with --protocol instances, whose tasks have "
            "--instances of each class",
        ),
        (("--confusion", "--untrained"), "--confusion with --untrained"),
        (("--ways", 1), "'--ways': must be a whole number, 2 to "),
        (("--episodes", 10), "'--episodes': must be a whole number, 600 to "),
    ],
)
def test_options_out_of_range_are_named(call, glyphs_run, options, message):
    assert message in call("evaluate", glyphs_run, *options).usage_error


def test_no_run_no_figure(call, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        done = call("evaluate", path)
        assert (done.code, str(path) in done.err.splitlines()[-1]) == (2, True)
    assert f"{tmp_path} must be a run folder" in done.error


def test_a_damaged_learner_ends_in_one_line(call, run_copy, hash_tree):
    learner = run_copy / "learner.keras"
    learner.write_bytes(learner.read_bytes()[:3000])
    before = hash_tree(run_copy)
    done = call("evaluate", run_copy)
    assert done.out == ""
    assert done.error.startswith(f"{learner} could not be read as a learner")
    assert "`tfmeta train --resume`" in done.error
    assert hash_tree(run_copy) == before


def test_damaged_files_are_named(call, run_copy):
    for name, text, message in (
        ("metrics.json", '{"format_version": 1, "res', "must be a JSON file"),
        ("classes.json", "{}", "must list the classes"),
        ("config.json", '{"format_version": 1, "con', "must be a JSON file"),
    ):
        intact = (run_copy / name).read_text()
        (run_copy / name).write_text(text)
        assert f"{run_copy / name} {message}" in call("evaluate", run_copy).error
        assert (run_copy / name).read_text() == text
        (run_copy / name).write_text(intact)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("metrics.json", ()),
        ("confusion.png", ("--confusion",)),
        ("confusion-3way-1shot.png", ("--confusion", "--ways", 2, "--ways", 3)),
        ("open_set.json", ("--open-set",)),
        ("lake.png", ("--protocol", "lake")),
        ("instances.png", ("--protocol", "instances")),
    ],
)
def test_what_could_not_be_written_is_said_before_it_is_measured(
    call, run_copy, monkeypatch, name, options
):
    monkeypatch.setattr("tfmeta.runs.train.load_learner", None)
    (run_copy / name).unlink(missing_ok=True)
    (run_copy / name).mkdir()
    error = call("evaluate", run_copy, *options).error
    assert error == f"{run_copy / name} must be a file. Received: a folder"
