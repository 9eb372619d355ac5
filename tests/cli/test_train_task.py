"""`tfmeta train --task`, and what follows it."""

import pytest

SHORT = (
    *("--task", "navigation", "--learner", "maml", "--task-argument", "horizon=4"),
    *("--argument", "trajectories=3", "--train-tasks", "2", "--epochs", "1"),
    *("--steps-per-epoch", "1", "--validation-episodes", "2"),
)


def test_from_training_to_evaluation_and_export(call, tmp_path):
    run = tmp_path / "run"
    done = call("train", *SHORT, "--run", run)
    assert done.code == 0, done.err
    assert "navigation: 40 test tasks, 20 trajectories for each update" in done.out
    assert "after 3 updates" in done.out and "trajectories.png" in done.out
    assert "tfmeta classify" not in done.out and "tfmeta serve" not in done.out
    for name in ("learner.keras", "metrics.json", "curve.png", "saved_model/1"):
        assert (run / name).exists()
    done = call("evaluate", run, "--updates", "1", "--test-tasks", "3")
    assert done.code == 0, done.err
    assert "navigation: 3 test tasks" in done.out and "after 2" not in done.out
    # What is of classes is of no policy.
    done = call("evaluate", run, "--ways", "5")
    assert "--ways must be left out for a run of control" in done.usage_error
    done = call("evaluate", run, "--realistic")
    assert "--realistic must be left out" in done.usage_error
    done = call("export", run, "--to", tmp_path / "served")
    assert done.code == 0, done.err
    done = call("export", run, "--format", "onnx")
    assert "must be saved_model for a run of control" in done.error
    done = call("train", *SHORT, "--run", run, "--resume")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--task", "nowhere"), "must be one of navigation, bandits"),
        (("--task", "navigation", "--task-argument", "size=3"), "--task-argument"),
        (("--task", "navigation", "--ways", "5"), "`--ways` must be left out"),
        (("--task", "navigation", "--learner", "siamese"), "one of policies"),
        (("--task-argument", "horizon=4"), "`--task-argument` must be left out"),
        (("--task", "gym:Nothing-v9"), "Nothing"),
    ],
)
def test_what_cannot_be_is_one_line(call, tmp_path, arguments, said):
    done = call("train", *arguments, "--run", tmp_path / "run")
    assert said in done.error
    assert not (tmp_path / "run").exists()


def test_episodes_are_none_of_tasks(call, tmp_path):
    run = tmp_path / "run"
    done = call("train", *SHORT, "--test-episodes", "600", "--run", run)
    assert "--test-episodes must be left out with --task" in done.usage_error
    assert not run.exists()


def test_a_task_or_a_data_set(call):
    done = call("train", "--task", "navigation", "--dataset", "glyphs")
    assert "--dataset and --task exclude each other" in done.usage_error


def test_the_rows_of_the_table(call):
    done = call("reproduce", "control", "--list")
    assert done.code == 0 and "navigation_maml: MAML, 2-D navigation" in done.out
    done = call("reproduce", "control", "--row", "nobody", "--list")
    assert "must be one of navigation_maml" in done.error
