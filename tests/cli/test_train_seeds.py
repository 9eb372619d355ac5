import shutil

import pytest

from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder

QUICK = (
    *("--epochs", 1, "--steps-per-epoch", 2, "--filters", 4, "--train-ways", 5),
    *("--train-queries", 2, "--queries", 5, "--validation-episodes", 8),
    *("--test-episodes", 600),
)


@pytest.mark.slow
def test_trainings_differ_in_their_seed_and_go_on(call, tmp_path):
    base = tmp_path / "some"
    done = call("train", "--run", base, "--seeds", 2, *QUICK)
    assert (done.code, done.err) == (0, "")
    folders = [RunFolder(tmp_path / f"some-seed{seed}") for seed in (0, 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("some-seed0", "some-seed1")
    ]
    assert [folder.read_config().seed for folder in folders] == [0, 1]
    figures = [100 * result.accuracy for f in folders for result in read_results(f)]
    assert f"{sum(figures) / 2:.2f} %, mean of 2 trainings" in done.out
    assert "95 % over training seeds" in done.out
    assert done.out.count("What to type next") == 0

    shutil.rmtree(folders[1].path)
    assert f"{folders[0].path} holds a run already" in (
        call("train", "--run", base, "--seeds", 2, *QUICK).error
    )
    assert not folders[1].path.exists()
    resumed = call("train", "--run", base, "--seeds", 2, *QUICK, "--resume")
    assert resumed.code == 0
    assert resumed.out.count("epoch 1/1") == 1
    assert resumed.out.splitlines()[-5:] == done.out.splitlines()[-5:]


def test_no_seed_is_trained_where_one_of_the_folders_is_taken(call, tmp_path):
    taken = tmp_path / "some-seed1"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    done = call("train", "--run", tmp_path / "some", "--seeds", 2, *QUICK)
    assert f"{taken} must be empty" in done.error
    assert list(tmp_path.iterdir()) == [taken]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", 2, "--seed", 1), "--seeds names the seeds"),
        (("--seeds", 1), "'--seeds': must be a whole number, 2 to "),
    ],
)
def test_seeds_that_are_refused(call, tmp_path, options, message):
    done = call("train", "--run", tmp_path / "run", *options)
    assert message in done.usage_error
    assert not list(tmp_path.iterdir())
