"""Errors of regression on test tasks, and what a support alone says."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets.task_table import TaskTable
from tfmeta.encoders import MLP
from tfmeta.episodes import TaskEpisodes
from tfmeta.evaluation import RegressionResult, evaluate_regression
from tfmeta.evaluation.regression_result import TaskMean
from tfmeta.evaluation.support_baselines import support_mean, support_ridge
from tfmeta.learners import PrototypicalNetwork
from tfmeta.learners.base import FewShotLearner

TASKS = 7


@keras.saving.register_keras_serializable(package="test_regression")
class Level(FewShotLearner):
    """Predicts the mean target of the support, and some more."""

    encoder_arguments = ()
    task = "regression"
    fixed_ways = 2

    def __init__(self, more=0.0, **kwargs):
        super().__init__(None, **kwargs)
        self.more = more

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        return {"level": tf.reduce_mean(support_labels, axis=1)}

    def predict_query(self, state, query, *, query_mask=None, training=False):
        level = state["level"][:, None] + self.more
        return tf.repeat(level, tf.shape(query)[1], axis=1)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(TASKS * 25, 3))
    slopes = np.repeat(rng.normal(size=(TASKS, 3, 2)), 25, axis=0)
    y = np.einsum("nf,nfo->no", x, slopes) + 0.1 * rng.normal(size=(len(x), 2))
    tasks = np.repeat([f"t{n}" for n in range(TASKS)], 25)
    return TaskTable.from_arrays(
        "toy", x, y * [1, 1000] + [0, 1e5], tasks, target_names=["small", "large"]
    )


@pytest.fixture(scope="module")
def episodes(table):
    return TaskEpisodes(table, shots=8, queries=5, tasks=10, seed=3, in_turn=True)


def measured(episodes, learner, **options):
    by = episodes.table.standardization()
    given = {"standardization": by, "num_episodes": 600, "seen_tasks": ()}
    return evaluate_regression(learner, episodes, **{**given, **options})


@pytest.fixture(scope="module")
def found(episodes):
    return measured(episodes, Level(more=2.0), name="a level")


def test_a_ridge_on_the_support_is_that_of_the_closed_form():
    rng = np.random.default_rng(1)
    x, asked = rng.normal(size=(9, 3)), rng.normal(size=(4, 3))
    y = 1e6 + 1e4 * (x @ rng.normal(size=(3, 2)) + rng.normal(size=(9, 2)))
    penalties = np.logspace(-3, 3, 13)

    def solved(x, y, asked, penalty):
        """Centred normal equations."""
        centre, level = x.mean(axis=0), y.mean(axis=0)
        gram = (x - centre).T @ (x - centre) + penalty * np.eye(3)
        slopes = np.linalg.solve(gram, (x - centre).T @ (y - level))
        return level + (asked - centre) @ slopes

    expected = []
    for target in y.T:
        # By leaving each row out, as it is said.
        wrong = [
            np.mean(
                [
                    (
                        solved(np.delete(x, n, 0), np.delete(target, n), x[n], penalty)
                        - target[n]
                    )
                    ** 2
                    for n in range(len(x))
                ]
            )
            for penalty in penalties
        ]
        best = penalties[int(np.argmin(wrong))]
        expected.append(solved(x, target, asked, best))
    found = support_ridge(x, y, asked)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-9)
    # Of two rows the penalty is 1; of one there is nothing but its target.
    for target, column in zip(y[:2].T, support_ridge(x[:2], y[:2], asked).T, strict=1):
        np.testing.assert_allclose(column, solved(x[:2], target, asked, 1.0))
    np.testing.assert_allclose(support_ridge(x[:1], y[:1], asked), [y[0]] * 4)
    np.testing.assert_allclose(support_mean(y, 2), [y.mean(axis=0)] * 2)
    # A constant target, and a constant feature.
    flat = support_ridge(np.ones((5, 1)), np.full((5, 1), 7.0), np.zeros((2, 1)))
    np.testing.assert_allclose(flat, 7.0)


def test_every_task_counts_alike_and_by_its_own_queries(episodes, found):
    total = -(-600 // TASKS) * TASKS
    squares, absolutes = ({m: [[] for _ in range(TASKS)] for m in (0, 1)} for _ in "ab")
    done = 0
    for step in range(-(-total // 10)):
        inputs, y = episodes.batch(step)
        for place, task in enumerate(episodes.task_ids(step).numpy()):
            if done == total:
                break
            level = inputs["support_labels"][place].numpy().mean(axis=0)
            for more in (0, 1):
                wrong = level + 2.0 * more - y[place].numpy()
                squares[more][task].append((wrong**2).mean(axis=0))
                absolutes[more][task].append(np.abs(wrong).mean(axis=0))
            done += 1
    assert {len(part) for part in squares[0]} == {total // TASKS}
    for more, method in ((0, "support_mean"), (1, "learner")):
        expected = np.mean(squares[more], axis=1)
        np.testing.assert_allclose(found.squared[method], expected, rtol=1e-9)
        expected = np.mean(absolutes[more], axis=1)
        np.testing.assert_allclose(found.absolute[method], expected, rtol=1e-9)
    assert found.protocol["episodes"] == total
    assert found.task_names == tuple(f"t{n}" for n in range(TASKS))
    errors = np.sqrt(found.squared["learner"])[:, 1]
    assert found.rmse(1).mean == pytest.approx(errors.mean())
    # 2.447 is the 97.5th percentile of Student's t with 6 degrees of freedom.
    assert found.rmse(1).half_width == pytest.approx(
        2.4469 * errors.std(ddof=1) / np.sqrt(TASKS), rel=1e-4
    )
    paired = np.sqrt(found.squared["ridge"])[:, 0] - np.sqrt(
        found.squared["learner"][:, 0]
    )
    assert found.rmse_below("ridge").mean == pytest.approx(paired.mean())
    assert found.rmse_below("ridge").mean < 0  # The tasks are linear.
    assert found.mae(1).mean == pytest.approx(found.absolute["learner"][:, 1].mean())


def test_a_result_is_kept_and_read(found):
    again = RegressionResult.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json() and str(again) == str(found)
    text = str(found)
    assert "7 test tasks" in text and "a level" in text and "Student's t" in text
    assert "small, mean over tasks" in text and "large, mean over tasks" in text


def test_the_interval_covers_other_tasks_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        # A task's error is what it is, and what its few episodes make of it.
        errors = rng.gamma(4, 1, size=12) + rng.normal(size=12) / 5
        found = TaskMean.of(errors)
        inside += abs(found.mean - 4.0) < found.half_width
    # Skewed errors of twelve tasks: a little below 95 %.
    assert 0.92 < inside / 2000 < 0.965


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (28417.7, 2291.3, "28,400 ± 2,300"),
        (0.12345, 0.0123, "0.123 ± 0.012"),
        (-3.0, 12.0, "-3 ± 12"),
        (5.0, None, "5"),
        (5.0, 0.0, "5"),
        (1e-12, 1e-13, "1e-12 ± 1e-13"),
        (3e22, 2e21, "3e+22 ± 2e+21"),
    ],
)
def test_a_mean_is_written_with_two_digits_of_its_half_width(mean, half_width, text):
    assert TaskMean(mean, half_width).text() == text


def test_what_is_no_figure_is_refused(table, episodes, found):
    with pytest.raises(ValueError, match="`seen_tasks` must name the tasks"):
        measured(episodes, Level(), seen_tasks=None)
    with pytest.raises(ValueError, match="no task that training.*1 such.*toy/t3"):
        measured(episodes, Level(), seen_tasks={"toy/t3", "toy/u"})
    with pytest.raises(ValueError, match="must be in_turn=True"):
        measured(TaskEpisodes(table, shots=2, queries=2), Level())
    with pytest.raises(ValueError, match="`num_episodes` must be at least 600"):
        measured(episodes, Level(), num_episodes=100)
    with pytest.raises(ValueError, match="`episodes` must be of classification"):
        measured(episodes, PrototypicalNetwork(MLP((3,))))
    with pytest.raises(ValueError, match=r"finite predictions.*3,010 of 3,010 queries"):
        measured(episodes, Level(more=np.nan))
    values = found.to_json()
    values["errors"]["ridge"]["squared"][0][0] = -1.0
    with pytest.raises(ValueError, match="`squared` must be .* of at least 0"):
        RegressionResult.from_json(values)
