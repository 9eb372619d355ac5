"""Runs of regression on tasks whose truth is known."""

import csv
import dataclasses

import numpy as np
import pytest

from tfmeta.learners import StandardizedLearner
from tfmeta.learners.base import FewShotLearner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.plan import plan_training
from tfmeta.runs.regression.data import changes_of_tasks, load_tasks, load_whole
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

# Of a town's coefficients: intercept, per square metre, per room, per year.
MEAN = np.array([250_000, 2500, 15_000, 400])
DEVIATION = np.array([60_000, 500, 4000, 150])
NOISE = 20_000
# Less than by default, and enough here.
SHORT = {
    **{"epochs": 4, "steps_per_epoch": 200, "validation_episodes": 100},
    **{"train_tasks": 8, "learning_rate": 2e-3},
    "learner_arguments": {"inner_steps": 3, "inner_learning_rate": 0.1},
}


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def town_rows(rng, name, count):
    """Houses of one town, prices by coefficients of its own."""
    own = rng.normal(MEAN, DEVIATION)
    x = np.stack(
        [
            rng.uniform(40, 220, count),
            rng.integers(1, 9, count),
            rng.integers(1900, 2024, count),
        ],
        axis=1,
    )
    prices = design(x) @ own + rng.normal(0, NOISE, count)
    return [[name, *row, price] for row, price in zip(x, prices, strict=True)]


def design(x):
    x = np.asarray(x, np.float64)
    return np.concatenate([np.ones((*x.shape[:-1], 1)), x - [120, 4, 1970]], axis=-1)


def of_posterior(support, targets, query):
    """The best that can be predicted: the mean given the support and the prior."""
    a, precision = design(support), np.diag(DEVIATION**-2.0)
    gram = precision + a.T @ a / NOISE**2
    weights = np.linalg.solve(gram, precision @ MEAN + a.T @ targets / NOISE**2)
    return design(query) @ weights


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = [r for n in range(100) for r in town_rows(rng, f"town {n:02d}", 30)]
    path = tmp_path_factory.mktemp("data") / "houses.csv"
    return write(path, ["town", "size", "rooms", "year", "price"], rows)


def config_of(path, **chosen):
    columns = {"task_column": "town", "target_column": "price"}
    return default_config(str(path), {**columns, **chosen})


def trained(path, folder, **chosen):
    """The figures of a run, its learner and the episodes it was measured on."""
    config = default_config(str(path), {**SHORT, **chosen})
    folder = RunFolder(folder)
    train(config, folder)
    protocol = Regression(num_episodes=600)
    (result,) = measure(folder, load_learner(folder), protocol)
    (drawn,) = protocol.draw(folder.read_config())
    return result, drawn.parts[""].episodes


@pytest.mark.slow
def test_house_prices_come_near_to_the_best_that_can_be_predicted(houses, tmp_path):
    columns = {"task_column": "town", "target_column": "price"}
    result, episodes = trained(houses, tmp_path / "run", **columns, shots=5)
    squares = [[] for _ in range(episodes.table.num_tasks)]
    for step in range(-(-600 // episodes.tasks)):
        inputs, y = episodes.batch(step)
        parts = zip(
            episodes.task_ids(step).numpy(),
            *(inputs[n].numpy() for n in ("support", "support_labels", "query")),
            y.numpy(),
            strict=True,
        )
        for task, support, targets, query, true in parts:
            found = of_posterior(support, targets[:, 0], query)
            squares[task].append(np.mean((found - true[:, 0]) ** 2))
    best = np.mean([np.sqrt(np.mean(part)) for part in squares])
    assert NOISE < best < 1.5 * NOISE
    assert best * 0.97 < result.rmse().mean < 1.2 * best
    # Five houses alone say little of four coefficients.
    below = result.rmse_below("ridge")
    assert below.mean > below.half_width > 0


@pytest.mark.slow
def test_sine_waves_of_a_file_are_learned_from_ten_rows(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for wave in range(200):
        amplitude, phase = rng.uniform(0.5, 5), rng.uniform(0, np.pi)
        for x in rng.uniform(-5, 5, 40):
            noise = rng.normal(0, 0.1)
            rows.append([f"w{wave:03d}", x, amplitude * np.sin(x - phase) + noise])
    path = write(tmp_path / "waves.csv", ["wave", "x", "y"], rows)
    result, _ = trained(path, tmp_path / "run", task_column="wave", target_column="y")
    # A line through a wave is worth little.
    below = result.rmse_below("ridge")
    assert result.rmse().mean < 0.6 * result.rmse(method="ridge").mean
    assert below.mean > 4 * below.half_width


def test_tasks_are_divided_by_their_names_and_kept_so(houses, tmp_path):
    config = config_of(houses)
    splits = {split: set(names) for split, names in config.splits.items()}
    assert sum(map(len, splits.values())) == 100
    assert set.union(*splits.values()) == set(load_whole(config).origins)
    for split, origins in splits.items():
        assert set(load_tasks(config, split).origins) == origins
    # A town more moves no other, and is in none of the run's splits.
    longer = tmp_path / "houses.csv"
    longer.write_text(houses.read_text() + "new town,100,4,2000,300000\n")
    moved = dataclasses.replace(config, dataset=str(longer))
    assert load_tasks(moved, "test").origins == load_tasks(config, "test").origins
    assert "new, and in none of its splits: houses/new town" in changes_of_tasks(moved)
    assert changes_of_tasks(config) is None
    anew = config_of(longer).splits
    assert all(origins <= set(anew[split]) for split, origins in splits.items())


def test_what_is_trained_is_standardized_by_the_training_tasks(houses):
    config = config_of(houses, learner_arguments={"first_order": True})
    plan = plan_training(config)
    by = load_tasks(config, "train").standardization()
    for episodes, split in ((plan.training, "train"), (plan.validation, "validation")):
        expected = load_tasks(config, split).standardized(by)
        np.testing.assert_array_equal(episodes.table.targets, expected.targets)
        np.testing.assert_array_equal(episodes.table.features, expected.features)
    assert not plan.training.in_turn and plan.validation.in_turn
    assert plan.validation_steps * plan.validation.tasks == config.validation_episodes
    prepared = plan.prepared()
    whole = prepared.whole(prepared.learner)
    assert isinstance(whole, StandardizedLearner)
    np.testing.assert_array_equal(whole.target_scale, by.target_scale)
    assert set(plan.classes["train"]) == set(config.splits["train"])


class Flat(FewShotLearner):
    """Of one's own, which regresses without an argument `task`."""

    task = "regression"
    fixed_ways = 1

    def adapt(self, support, support_labels, **options):
        return {"level": support_labels[:, 0]}

    def predict_query(self, state, query, **options):
        return 0 * query[..., :1] + state["level"][:, None]


class Classes(Flat):
    """Of one's own, which does not."""

    task = "classification"


def test_learners_of_ones_own_say_whether_they_regress(houses):
    plan = plan_training(config_of(houses, learner=f"{__name__}:Flat"))
    assert type(plan.learner) is Flat
    assert plan.config.learner_arguments == {}
    with pytest.raises(ValueError, match="`learner` must be one that regresses.*maml"):
        plan_training(config_of(houses, learner=f"{__name__}:Classes"))
    with pytest.raises(ValueError, match="`learner` must be one that regresses.*siam"):
        config_of(houses, learner="siamese")


@pytest.mark.parametrize(
    "values",
    [
        {"task_column": "town"},
        {"target_column": "price"},
        {"feature_column": "size"},
        {"task_column": "town", "feature_column": "size"},
    ],
)
def test_columns_come_together(values):
    with pytest.raises(ValueError, match="`task_column` and `target_column` must come"):
        TrainConfig(**values)


def test_a_configuration_says_what_its_run_is_of():
    assert TrainConfig().task == "classification" and TrainConfig().figure == "accuracy"
    config = TrainConfig(task_column="town", target_column="price")
    assert (config.task, config.figure) == ("regression", "mean_squared_error")
    # Runs of before say nothing of columns.
    old = {k: v for k, v in TrainConfig().to_json().items() if "column" not in k}
    assert TrainConfig.from_json(old) == TrainConfig()
