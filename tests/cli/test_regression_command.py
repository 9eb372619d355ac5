"""Regression of a CSV file of one's own, from the command line."""

import csv
import re
import shlex
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.cli.train_command import train
from tfmeta.cli.train_job import run_training
from tfmeta.datasets.own.task_csv import load_task_csv
from tfmeta.learners import StandardizedLearner
from tfmeta.runs.config import options
from tfmeta.runs.defaults import default_config
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train_command import train_command

COLUMNS = ("--task-column", "town", "--target-column", "price")
QUICK = {
    **{"task_column": "town", "target_column": "price", "learner": "maml"},
    # Without second order, which takes long to trace.
    **{"learner_arguments": {"inner_steps": 1, "first_order": True}},
    **{"shots": 4, "queries": 4},
    **{"train_tasks": 2, "epochs": 1, "steps_per_epoch": 2, "validation_episodes": 8},
}


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A CSV file of 20 towns, two of them with few houses."""
    path = tmp_path_factory.mktemp("data") / "houses.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["town", "size", "year", "price"])
        for town in range(20):
            per_metre = rng.normal(2500, 400)
            for _ in range(3 if town > 17 else 12):
                size, year = rng.uniform(40, 200), rng.integers(1900, 2020)
                price = 50_000 + per_metre * size + 200 * (year - 1960)
                rows.writerow([f"town {town:02d}", f"{size:.1f}", year, f"{price:.0f}"])
    return path


@pytest.fixture(scope="module")
def trained(houses, tmp_path_factory):
    """The folder of a run that was trained, measured and exported."""
    path = tmp_path_factory.mktemp("runs") / "run"
    config = default_config(str(houses), QUICK)
    run_training(config, path, resume=False, test_episodes_count=600, data_dir=None)
    return path


@pytest.fixture
def run_copy(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_a_run_measures_tasks_that_it_never_saw(trained, houses):
    folder = RunFolder(trained)
    config = folder.read_config()
    assert config.task == "regression" and folder.is_trained
    whole = load_task_csv(houses, task_column="town", target_column="price")
    parts = [set(config.splits[s]) for s in ("train", "validation", "test")]
    assert set.union(*parts) == set(whole.origins)
    assert sum(map(len, parts)) == len(whole.origins)
    assert set(folder.seen_classes()) == parts[0] | parts[1]
    (result,) = Regression().read(folder)
    named = {f"houses/{name}" for name in result.task_names}
    # Towns of three houses are in a split, and in no episode.
    assert named == parts[2] - {"houses/town 18", "houses/town 19"}
    history = folder.read_history()
    assert set(history) == {
        *("loss", "mean_squared_error", "val_loss", "val_mean_squared_error"),
    }
    for picture in (folder.fits_picture, folder.curve_picture):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_learner_of_a_run_takes_rows_as_they_are(trained, houses):
    learner = tfmeta.load(trained)
    assert isinstance(learner, StandardizedLearner)
    whole = load_task_csv(houses, task_column="town", target_column="price")
    kept = RunFolder(trained).read_config().splits["train"]
    rows = np.concatenate(
        [
            whole.features[whole.offsets[n] : whole.offsets[n + 1]]
            for n, origin in enumerate(whole.origins)
            if origin in kept
        ]
    )
    np.testing.assert_allclose(learner.feature_mean, rows.mean(axis=0))
    np.testing.assert_allclose(learner.feature_scale, rows.std(axis=0))
    served = tfmeta.load(trained / "saved_model")
    x, y = whole.features[:8], whole.targets[:8]
    found = served.signatures["predict"](
        support=tf.constant(x[:4]),
        support_labels=tf.constant(y[:4]),
        query=tf.constant(x[4:]),
    )["predictions"]
    expected = learner.predict_query(
        learner.adapt(x[None, :4], y[None, :4]), x[None, 4:]
    )
    np.testing.assert_allclose(found, expected[0], rtol=1e-6)
    described = served.description["description"]
    assert described["columns"]["features"] == ["size", "year"]
    card = (served.path / "MODEL_CARD.md").read_text()
    assert "size, year" in card and "test tasks of houses" in card
    assert "| price |" in card and "test classes" not in card


def test_its_command_trains_it_again(trained):
    config = RunFolder(trained).read_config()
    _, verb, *words = shlex.split(train_command(config))
    assert verb == "train"
    given = train.make_context("train", words).params
    known = {place.name for place in options()}
    chosen = {k: v for k, v in given.items() if k in known and v is not None}
    assert default_config(chosen.pop("dataset"), chosen) == config


@pytest.mark.slow
def test_evaluating_adds_figures_and_pictures(call, run_copy):
    done = call("evaluate", run_copy, "--shots", 2, "--shots", 5, "--episodes", 600)
    assert done.code == 0 and not done.err, done.err
    assert "2 rows, 4 queries on houses" in done.out
    assert "5 rows, 4 queries on houses" in done.out
    assert "ridge on the support" in done.out and "test tasks" in done.out
    kept = Regression().read(RunFolder(run_copy))
    assert [result.protocol["shots"] for result in kept] == [4, 2, 5]
    for shots in (2, 5):
        assert (run_copy / f"fits-{shots}rows.png").is_file()
    # The same figure replaces itself.
    call("evaluate", run_copy, "--shots", 2, "--episodes", 600)
    assert len(Regression().read(RunFolder(run_copy))) == 3
    first = call("evaluate", run_copy, "--untrained", "--episodes", 600)
    assert first.code == 0 and "MAML" in first.out
    assert len(Regression().read(RunFolder(run_copy))) == 3


@pytest.mark.slow
def test_a_run_that_is_trained_is_measured_again(call, run_copy, houses):
    done = call("train", "--resume", "--run", run_copy, "--test-episodes", 700)
    assert done.code == 0, done.err
    assert "Going on with a MAML" in done.out and "fits.png" in done.out
    assert "--realistic" not in done.out
    assert len(Regression().read(RunFolder(run_copy))) == 2
    other = call("train", "--resume", "--run", run_copy, "--target-column", "size")
    assert "`--target-column` must stay as in" in other.error


@pytest.mark.slow
def test_a_run_is_exported_again(call, run_copy, tmp_path):
    done = call("export", run_copy, "--to", tmp_path / "served")
    assert done.code == 0 and (tmp_path / "served" / "1" / "saved_model.pb").is_file()
    refused = call("export", run_copy, "--format", "onnx")
    assert "`--format` must be saved_model for a run of regression" in refused.error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "RUN", "--ways", 3], "--ways must be left out for a run of"),
        (["evaluate", "RUN", "--realistic"], "--realistic must be left out for a run"),
        (["evaluate", "RUN", "--open-set"], "--open-set must be left out for a run"),
        (["evaluate", "RUN", "--confusion"], "--confusion must be left out for a run"),
        (["evaluate", "RUN", "--protocol", "lake"], "--protocol must be left out"),
        (
            ["evaluate", "RUN", "--shots", 11],
            "--shots=11, --queries=4, and the",
        ),
        (["compare", "RUN", "RUN"], "a run of classification, which has classes"),
        (["classify", "RUN", "--support", "A", "--query", "B"], "a run of classifica"),
        (["gallery", "enrol", "NEW", "--run", "RUN", "--support", "A"], "classifica"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_is_for_classes_is_refused(call, trained, photos, words, message):
    known = {"RUN": trained, "A": photos / "support", "B": photos / "query"}
    known["NEW"] = photos / "new"
    done = call(*(known.get(word, word) for word in words))
    *_, last = done.err.splitlines()
    assert done.code == 2 and last.startswith("Error: ")
    assert re.search(message, last), last


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task-column", "town"], "`--target-column` must be given with `--task-col"),
        (["--target-column", "price"], "`--task-column` must be given with `--target"),
        (["--feature-column", "size"], "`--task-column` must be given with `--feature"),
        ([*COLUMNS, "--ways", 3], "`--ways` must be left out for regression"),
        ([*COLUMNS, "--augment"], "`--augment` must be left out for regression"),
        ([*COLUMNS, "--encoder", "conv4"], "`--encoder` must be left out"),
        ([*COLUMNS, "--learner", "prototypical"], "regresses where .*: maml, anil"),
        ([*COLUMNS, "--shots", 12], r"`--shots` \+ `--queries` must be at most .*=12"),
        ([*COLUMNS, "--train-shots", "1-5"], "`--train-shots` must be one number"),
        (["--task-column", "year", "--target-column", "cost"], "'cost', not among"),
        (["--task-column", "street", "--target-column", "price"], "columns 'street'"),
        ([*COLUMNS, "--dataset", "glyphs"], "`--task-column` must be left out but"),
        ([*COLUMNS, "--dataset", "tfds:mnist"], "`--task-column` must be left out but"),
        ([*COLUMNS, "--argument", "inner_rate=1"], "`--argument` must be among"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_regression_makes_no_use_of_is_refused(
    call, houses, tmp_path, words, message
):
    data = [] if "--dataset" in words else ["--dataset", houses]
    done = call("train", *data, "--run", tmp_path / "a", *words)
    assert re.search(message, done.error), done.error
    assert not (tmp_path / "a").exists()


def test_too_few_tasks_are_refused(call, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("town,size,price\n" + "".join(f"t{n},1,2\n" for n in range(5)))
    done = call("train", "--dataset", path, "--run", tmp_path / "a", *COLUMNS)
    assert "`--task-column` must name at least 6 tasks" in done.error
    assert "Received: 5 in 'few'" in done.error


def test_defaults_are_what_three_quarters_of_the_tasks_allow(houses):
    chosen = {"task_column": "town", "target_column": "price"}
    config = default_config(str(houses), chosen)
    assert (config.learner, config.test.shots, config.test.queries) == ("maml", 6, 6)
    assert config.training == type(config.training)(ways=40, shots=6, queries=6)
    assert config.learner_arguments == {"inner_learning_rate": 0.05, "inner_steps": 5}
    config = default_config(
        str(houses), {**chosen, "shots": 3, "learner_arguments": {"inner_steps": 2}}
    )
    assert (config.training.shots, config.test.queries) == (3, 9)
    assert config.learner_arguments == {"inner_learning_rate": 0.05, "inner_steps": 2}
