import pytest

from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.training_seeds import check_same_but_seed


@pytest.fixture
def make_run(tmp_path):
    def make_run(name, **changes):
        folder = RunFolder(tmp_path / name)
        folder.create(TrainConfig().with_options(changes), {})
        return folder

    return make_run


def test_runs_may_differ_in_their_seed_alone(make_run):
    runs = [make_run(f"run{seed}", seed=seed) for seed in range(3)]
    check_same_but_seed(runs[:1])
    check_same_but_seed(runs)
    more = make_run("more", seed=5, train_ways=41)
    message = "seed alone.*run0 with train_ways=40 and .*more with train_ways=41"
    with pytest.raises(ValueError, match=message):
        check_same_but_seed([*runs, more])
    wider = make_run("wider", seed=4, filters=32)
    message = "seed alone.*run0 with filters=64 and .*wider with filters=32.*compare"
    with pytest.raises(ValueError, match=message):
        check_same_but_seed([*runs, wider])


def test_one_seed_twice_is_no_spread(make_run):
    with pytest.raises(ValueError, match="different training seeds.*a and .*b.*seed=5"):
        check_same_but_seed([make_run("a", seed=5), make_run("b", seed=5)])


def test_what_is_no_run_is_named(make_run, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere must be a run folder"):
        check_same_but_seed([make_run("a"), RunFolder(tmp_path / "nowhere")])
