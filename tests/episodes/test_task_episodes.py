"""Episodes of the rows of tasks."""

import numpy as np
import pytest

from tfmeta.datasets.task_table import TaskTable
from tfmeta.episodes import TaskEpisodes

SIZES = {"a": 6, "b": 9, "c": 3, "d": 30}


@pytest.fixture(scope="module")
def table():
    """A row is its number, its target ten times that; a task begins at 100, 200, ..."""
    rows = [
        (100 * (place + 1) + n, name)
        for place, (name, size) in enumerate(SIZES.items())
        for n in range(size)
    ]
    x, tasks = zip(*rows, strict=True)
    x = np.array(x, np.float64)
    return TaskTable.from_arrays("toy", x[:, None], np.stack([10 * x, -x], 1), tasks)


def test_an_episode_is_of_one_task_and_has_no_row_twice(table):
    episodes = TaskEpisodes(table, shots=2, queries=4, tasks=200, seed=1)
    assert episodes.left_out == ("c",)
    assert episodes.origins == {"toy/a", "toy/b", "toy/d"}
    inputs, y = (part for part in episodes.batch(0))
    assert inputs["support"].shape == (200, 2, 1) and y.shape == (200, 4, 2)
    x = np.concatenate([inputs["support"], inputs["query"]], axis=1)[..., 0]
    targets = np.concatenate([inputs["support_labels"], y], axis=1)
    np.testing.assert_array_equal(targets, np.stack([10 * x, -x], axis=-1))
    assert (np.diff(np.sort(x, axis=1), axis=1) > 0).all()
    names = np.array(episodes.table.task_names)[episodes.task_ids(0).numpy()]
    firsts = {"a": 1, "b": 2, "d": 4}
    np.testing.assert_array_equal(
        np.floor(x / 100), [[firsts[n]] * 6 for n in names.tolist()]
    )


def test_tasks_and_rows_are_drawn_uniformly(table):
    episodes = TaskEpisodes(table, shots=1, queries=5, tasks=6000, seed=3)
    counts = np.bincount(episodes.task_ids(0))
    # Chi-squared of 2 degrees of freedom: 1 in 10,000 is beyond 18.4.
    assert np.sum((counts - 2000) ** 2 / 2000) < 18.4
    support = episodes.batch(0)[0]["support"].numpy().ravel()
    of_d = np.bincount((support[support >= 400] - 400).astype(int), minlength=30)
    expected = of_d.sum() / 30
    # Of 29 degrees: 1 in 10,000 is beyond 66.2.
    assert np.sum((of_d - expected) ** 2 / expected) < 66.2


def test_tasks_in_turn_come_equally_often(table):
    episodes = TaskEpisodes(table, shots=1, queries=2, tasks=3, in_turn=True)
    ids = np.concatenate([episodes.task_ids(step) for step in range(4)])
    np.testing.assert_array_equal(ids, np.arange(12) % 4)
    assert not np.array_equal(episodes.batch(0)[1], episodes.batch(4)[1])


def test_batches_are_functions_of_seed_and_step(table):
    def rows(seed, step):
        return TaskEpisodes(table, shots=2, queries=4, seed=seed).batch(step)[1].numpy()

    np.testing.assert_array_equal(rows(1, 5), rows(1, 5))
    for seed, step in ((1, 6), (2, 5), (0, 6)):
        assert not np.array_equal(rows(1, 5), rows(seed, step))
    episodes = TaskEpisodes(table, shots=2, queries=4, seed=1)
    _, y = next(iter(episodes.as_dataset(start=5)))
    np.testing.assert_array_equal(y, rows(1, 5))
    assert episodes.class_ids(0).shape == (16, 0)


def test_what_tasks_do_not_allow_is_refused(table):
    with pytest.raises(ValueError, match="shots=20, queries=20.*'d', has 30"):
        TaskEpisodes(table, shots=20, queries=20)
    for name in ("shots", "queries", "tasks"):
        with pytest.raises(ValueError, match=f"`{name}`.*{name}=0"):
            TaskEpisodes(table, **{name: 0})
    one = TaskEpisodes(table.take_tasks([0, 1]), shots=1, queries=1)
    other = TaskEpisodes(table.take_tasks([1, 3]), shots=1, queries=1)
    with pytest.raises(ValueError, match="1 shared, among them toy/b"):
        one.check_disjoint(other)
