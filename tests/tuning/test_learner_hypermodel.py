import importlib
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from small_search import (
    EPOCHS,
    SETTINGS,
    STEPS,
    EagerHyperModel,
    Journal,
    make_hypermodel,
    make_table,
    make_tuner,
    read_journal,
)

from tfmeta.datasets import ClassTable
from tfmeta.learners import PrototypicalNetwork
from tfmeta.registry import learner_entry
from tfmeta.tuning import LearnerHyperModel


class RecordingNetwork(PrototypicalNetwork):
    """Keeps the data it is fitted with."""

    training: list
    validation: list

    def fit(self, x: tf.data.Dataset, **kwargs: Any) -> keras.callbacks.History:
        self.training = list(x.take(STEPS).as_numpy_iterator())
        self.validation = list(kwargs["validation_data"].as_numpy_iterator())
        return super().fit(x, **kwargs)


class RecordingHyperModel(LearnerHyperModel):
    """Keeps the hyper-parameters and learners of its trials."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.trials: list[tuple[dict, RecordingNetwork]] = []
        super().__init__(*args, **kwargs)

    def build(self, hp: keras_tuner.HyperParameters) -> PrototypicalNetwork:
        learner = super().build(hp)
        recording = RecordingNetwork(learner.encoder, learner.distance)
        recording.compile(learner.optimizer, run_eagerly=True)
        return recording

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        self.trials.append((dict(hp.values), model))
        return super().fit(hp, model, *args, **kwargs)


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[keras_tuner.RandomSearch, RecordingHyperModel]:
    hypermodel = make_hypermodel(RecordingHyperModel)
    assert isinstance(hypermodel, RecordingHyperModel)
    tuner = make_tuner(tmp_path_factory.mktemp("search"), hypermodel)
    tuner.search(epochs=EPOCHS, verbose=0)
    return tuner, hypermodel


def pictures_of(batches: list) -> set[bytes]:
    """All pictures of support and query."""
    pictures = [
        picture
        for inputs, *_ in batches
        for name in ("support", "query")
        for picture in inputs[name].reshape(-1, 16 * 16)
    ]
    return {picture.tobytes() for picture in pictures}


@pytest.mark.slow
def test_trials_differ_and_share_their_validation_episodes(searched: tuple) -> None:
    _, hypermodel = searched
    (first_values, first), (second_values, second) = hypermodel.trials
    assert first_values != second_values
    expected = [hypermodel.validation.batch(0)]
    for learner in (first, second):
        assert len(learner.validation) == hypermodel.validation_steps == 1
        for (inputs, y), (expected_inputs, expected_y) in zip(
            learner.validation, expected, strict=True
        ):
            # 4 tasks of 3 ways, 2 shots and 3 queries.
            assert inputs["support"].shape == (4, 3 * 2, 16, 16, 1)
            assert inputs["query"].shape == (4, 3 * 3, 16, 16, 1)
            np.testing.assert_array_equal(y, expected_y)
            for name, value in inputs.items():
                np.testing.assert_array_equal(value, expected_inputs[name])


@pytest.mark.slow
def test_training_episodes_are_those_of_the_trial(searched: tuple) -> None:
    _, hypermodel = searched
    for values, learner in hypermodel.trials:
        ways, shots = values["train_ways"], values["train_shots"]
        for inputs, y in learner.training:
            assert inputs["support_labels"].shape == (1, ways * shots, ways)
            assert y.shape == (1, ways * SETTINGS["train_queries"])
        trained = pictures_of(learner.training)
        table = make_table("train", 9)
        known = {p.tobytes() for p in table.examples.reshape(-1, 256)}
        assert (trained <= known) is not values["augment"]
        # Validation pictures never occur in training, distorted or not.
        validated = pictures_of(learner.validation)
        table = make_table("validation", 7)
        assert validated <= {p.tobytes() for p in table.examples.reshape(-1, 256)}
        assert not validated & trained
    # Both kinds were looked at above.
    assert {values["augment"] for values, _ in hypermodel.trials} == {False, True}


@pytest.mark.slow
def test_best_model_is_the_one_that_was_measured(searched: tuple) -> None:
    tuner, hypermodel = searched
    with warnings.catch_warnings():
        # Keras warns when weights or optimizer slots find no place.
        warnings.simplefilter("error", UserWarning)
        (learner,) = tuner.get_best_models(1)
    validation = hypermodel.validation.as_dataset(steps=hypermodel.validation_steps)
    measured = learner.evaluate(validation, verbose=0, return_dict=True)
    scores = [trial.score for trial in tuner.oracle.trials.values()]
    assert measured["accuracy"] == pytest.approx(max(scores), abs=1e-6)
    assert int(learner.optimizer.iterations) in (STEPS, 2 * STEPS)

    logits = learner.predict(validation, verbose=0)
    assert logits.shape == (4, 3 * 3, 3) and np.isfinite(logits).all()
    ((_, y),) = validation.as_numpy_iterator()
    accuracy = np.mean(logits.argmax(axis=-1) == y)
    assert accuracy == pytest.approx(max(scores), abs=1e-6)


@pytest.mark.slow
def test_best_hyperparameters_build_the_best_learner_anew(searched: tuple) -> None:
    tuner, hypermodel = searched
    (best,) = tuner.get_best_hyperparameters(1)
    assert set(best.values) == {
        *("train_ways", "train_shots", "filters", "distance", "learning_rate"),
        *("augment", "protocol"),
    }
    learner = make_hypermodel().build(best)
    assert learner.encoder.output_shape == (None, best.get("filters"))
    assert float(learner.optimizer.learning_rate) == pytest.approx(
        best.get("learning_rate")
    )
    name = type(learner.distance).__name__.lower()
    assert name == best.get("distance").replace("_", "")
    # The same seed, the same initial weights, whatever else is searched.
    again = hypermodel.build(best)
    for a, b in zip(learner.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_killed_search_goes_on_with_the_second_trial(tmp_path: Path) -> None:
    script = Path(__file__).with_name("small_search.py")
    process = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr[-2000:]
    assert [epoch for _, epoch in read_journal(tmp_path)] == [0, 1, 0, 1]
    first = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in (tmp_path / "small" / "trial_0").iterdir()
    }

    tuner = make_tuner(tmp_path, make_hypermodel(EagerHyperModel))
    tuner.search(epochs=EPOCHS, callbacks=[Journal(tmp_path)], verbose=0)

    journal = read_journal(tmp_path)
    rates = [rate for rate, _ in journal]
    assert [epoch for _, epoch in journal] == [0, 1, 0, 1, 0, 1]
    # The first trial was not repeated, the second one was, as it was.
    assert rates[0] == rates[1] and len({*rates[2:]}) == 1 and rates[0] != rates[2]
    for path, (content, written) in first.items():
        assert path.read_bytes() == content
        assert path.stat().st_mtime_ns == written
    trials = tuner.oracle.trials
    assert sorted(trials) == ["0", "1"]
    assert sorted(p.name for p in (tmp_path / "small").glob("trial_*")) == [
        "trial_0",
        "trial_1",
    ]
    for number, rate in (("0", rates[0]), ("1", rates[2])):
        assert trials[number].status == "COMPLETED"
        values = trials[number].hyperparameters.values
        assert values["learning_rate"] == pytest.approx(rate)
    assert tuner.remaining_trials == 0


@pytest.mark.exhaustive
def test_search_under_another_protocol_is_not_resumed(
    searched: tuple, tmp_path: Path
) -> None:
    tuner, _ = searched
    shutil.copytree(tuner.project_dir, tmp_path / "small")
    other = make_hypermodel(seed=6)
    resumed = make_tuner(tmp_path, other, max_trials=3)
    with pytest.raises(ValueError, match="under the protocol .*seed 5.*: .*seed 6"):
        resumed.search(epochs=1, verbose=0)


@pytest.mark.exhaustive
def test_trial_that_goes_on_later_equals_one_without_a_break(tmp_path: Path) -> None:
    # As Hyperband does: weights from a file, `initial_epoch` above 0.
    hypermodel = make_hypermodel(RecordingHyperModel, augment=True)
    hp = keras_tuner.HyperParameters()
    whole = hypermodel.build(hp)
    keep = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True
    )
    hypermodel.fit(hp, whole, epochs=2, callbacks=[keep], verbose=0)

    continued = hypermodel.build(hp)
    continued.load_weights(tmp_path / "1.weights.h5")
    hypermodel.fit(hp, continued, epochs=2, initial_epoch=1, verbose=0)

    assert not pictures_of(whole.training) & pictures_of(continued.training)
    state = [*whole.variables, *whole.optimizer.variables]
    state_after = [*continued.variables, *continued.optimizer.variables]
    for a, b in zip(state, state_after, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=a.path)


@pytest.mark.exhaustive
def test_hyperband_runs_a_trial(tmp_path: Path) -> None:
    hypermodel = make_hypermodel(EagerHyperModel)
    tuner = keras_tuner.Hyperband(
        hypermodel, hypermodel.objective, max_epochs=1, seed=0, directory=tmp_path
    )
    tuner.search(verbose=0)
    (trial,) = tuner.oracle.trials.values()
    assert trial.status == "COMPLETED" and 0 <= trial.score <= 1


# Three scores are few for the regression.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bayesian_oracle_proposes_values_of_the_space(tmp_path: Path) -> None:
    tuner = keras_tuner.BayesianOptimization(
        make_hypermodel(),
        LearnerHyperModel.objective,
        max_trials=3,
        num_initial_points=2,
        seed=0,
        directory=tmp_path,
    )
    oracle = tuner.oracle
    oracle.verbose = 0
    for number in range(3):
        trial = oracle.create_trial("tuner0")
        values = trial.hyperparameters.values
        for name in ("train_ways", "train_shots", "filters"):
            assert values[name] in SETTINGS[name] and type(values[name]) is int
        assert values["distance"] in ("squared_euclidean", "euclidean", "cosine")
        assert 1e-4 <= values["learning_rate"] <= 1e-2
        assert type(values["augment"]) is bool
        oracle.update_trial(trial.trial_id, {"val_accuracy": 0.1 * number})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert oracle.create_trial("tuner0").status == "STOPPED"
    (best,) = oracle.get_best_trials(1)
    assert best.trial_id == "2"


def test_keras_tuner_hyperparameters_go_before_the_arguments(tmp_path: Path) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Fixed("train_ways", 4)
    hp.Int("filters", 5, 7)
    hypermodel = make_hypermodel()
    tuner = keras_tuner.RandomSearch(
        hypermodel, hypermodel.objective, hyperparameters=hp, directory=tmp_path
    )
    tuner.oracle.verbose = 0
    trial = tuner.oracle.create_trial("tuner0")
    assert hypermodel.config_of(trial.hyperparameters).training.ways == 4
    assert hypermodel.build(trial.hyperparameters).encoder.output_shape[1] in (5, 6, 7)


@pytest.mark.slow
def test_search_takes_no_data(tmp_path: Path) -> None:
    # The search must end: three trials that fail one by one would take long.
    tuner = make_tuner(tmp_path, make_hypermodel())
    with pytest.raises(TypeError, match="Received: validation_data, x"):
        tuner.search(x=[1], epochs=1, validation_data=[1], verbose=0)
    with pytest.raises(TypeError, match="Received: list"):
        tuner.search([1], verbose=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_ways": (5, 10)}, "train_ways=10.*at most .* 9"),
        ({"train_ways": ()}, "`train_ways` must hold at least one"),
        ({"train_shots": (1, 5)}, "train_shots=5.*= 5 \\+ 2 = 7"),
        ({"ways": 8}, "`ways` must be at most"),
        ({"filters": (8, 0)}, "filters=0"),
        ({"distance": ("cosine", "nearest")}, "distance='nearest'"),
        ({"learning_rate": (1e-2, 1e-4)}, "learning_rate=\\(0.01"),
        ({"learning_rate": (1e-4, 1e-3, 1e-2)}, "`learning_rate` must be"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0"),
        ({"epochs": 3}, "`epochs` must be left out"),
        ({"ways": (3, 5)}, "`ways` must be an int.*ways=\\(3, 5\\)"),
        ({"batch_size": 8}, "`batch_size` must be left out for learner 'prototyp"),
        ({"blocks": (3, 4)}, "`learner_arguments` must be among.*blocks"),
        ({"learner": "maml"}, "with which `ways` must equal `train_ways`"),
        ({"learner": "oracle"}, "`learner` must be one of"),
        ({"validation_episodes": 1.5}, "validation_episodes=1.5"),
    ],
)
def test_bad_settings_are_refused_before_the_search(
    settings: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_hypermodel(**settings)


def test_training_classes_in_validation_are_refused() -> None:
    table = make_table("train", 9)
    shared: ClassTable = table.take_classes([6, 7, 8])
    with pytest.raises(ValueError, match="3 shared, among them train/class6"):
        LearnerHyperModel(table, shared, **SETTINGS)


def test_validation_episodes_that_8_does_not_divide() -> None:
    hypermodel = make_hypermodel(validation_episodes=21)
    assert hypermodel.validation_steps * hypermodel.validation.tasks == 21


_LIKE_TASKS = {"train_ways": 3, "train_shots": 1}


@pytest.mark.parametrize(
    ("settings", "searched"),
    [
        pytest.param(
            {"learner": "maml", "ways": 3, "inner_steps": (1, 2)},
            {"train_ways": 3, "train_shots": 1, "inner_steps": 1},
            id="maml",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"learner": "baseline", "ways": 3, "batch_size": (8, 16), "head_steps": 2},
            {"batch_size": 8, "head_steps": 2},
            id="baseline",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"learner": "mann", "ways": 3, "slots": (4, 5), "units": 4},
            {**_LIKE_TASKS, "objective": "instances", "slots": 4, "units": 4},
            id="mann",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            {"learner": "meta_networks", "ways": 3, "blocks": 2},
            {**_LIKE_TASKS, "features": 32, "blocks": 2},
            id="meta_networks",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            {"learner": "snail", "ways": 3},
            {**_LIKE_TASKS, "objective": "queries"},
            id="snail",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_any_learner_of_the_registry_is_tuned(settings: dict, searched: dict) -> None:
    tables = make_table("train", 9), make_table("validation", 7)
    hypermodel = EagerHyperModel(
        *tables,
        **{"queries": 2, "steps_per_epoch": 1, "validation_episodes": 2},
        **{"filters": (2, 4), "augment": False, **settings},
    )
    hp = keras_tuner.HyperParameters()
    learner = hypermodel.build(hp)
    always = {"filters": 2, "learning_rate": 1e-3, "augment": False}
    values = {name: value for name, value in hp.values.items() if name != "protocol"}
    assert values == pytest.approx({**always, **searched})
    assert type(learner).__name__ == learner_entry(settings["learner"]).class_name
    history = hypermodel.fit(hp, learner, epochs=1, verbose=0)
    assert np.isfinite(history.history["val_accuracy"]).all()


@pytest.mark.parametrize("missing", ["keras_tuner", "tensorboard"])
def test_import_without_the_extra_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "tfmeta.tuning")
    message = f'{missing}.*pip install "tfmeta\\[tuning\\]"'
    with pytest.raises(ImportError, match=message):
        importlib.import_module("tfmeta.tuning")


@pytest.mark.slow
def test_example_works_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = textwrap.dedent(LearnerHyperModel.__doc__ or "")
    (block,) = doc.split("```python\n")[1:]
    source = textwrap.dedent(block.split("```")[0])
    assert len([line for line in source.splitlines() if line.strip()]) <= 12
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(source, "example", "exec"), names)
    assert isinstance(names["learner"], PrototypicalNetwork)
    assert [t.status for t in names["tuner"].oracle.trials.values()] == [
        "COMPLETED"
    ] * 2


@pytest.mark.slow
def test_a_trial_that_is_no_number_any_more_fails_and_the_search_goes_on(
    tmp_path: Path,
) -> None:
    hypermodel = make_hypermodel(EagerHyperModel, learning_rate=(1e-3, 1e18))
    parameters = keras_tuner.HyperParameters()
    hypermodel.build(parameters)
    parameters.values["learning_rate"] = 1e18
    learner = hypermodel.build(parameters)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match="must be finite"):
        hypermodel.fit(parameters, learner, epochs=1, verbose=0)

    class OneBadRate(keras_tuner.Oracle):
        """Tries the rate that fails first, then one that does not."""

        def populate_space(self, trial_id: str) -> dict:
            values = {p.name: p.default for p in self.hyperparameters.space}
            values["learning_rate"] = 1e18 if trial_id == "0" else 1e-3
            return {"status": "RUNNING", "values": values}

    objective = keras_tuner.Objective("val_accuracy", "max")
    tuner = keras_tuner.Tuner(
        oracle=OneBadRate(objective=objective, max_trials=2),
        hypermodel=hypermodel,
        directory=tmp_path,
        project_name="bad",
    )
    tuner.search(epochs=1, verbose=0)
    trials = tuner.oracle.trials
    assert [trials[k].status for k in ("0", "1")] == ["FAILED", "COMPLETED"]
    (best,) = tuner.get_best_hyperparameters(1)
    assert best.values["learning_rate"] == 1e-3


@pytest.mark.parametrize("rates", [float("inf"), (1e-3, float("inf")), float("nan")])
def test_learning_rates_are_finite(rates: object) -> None:
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        make_hypermodel(learning_rate=rates)
