"""The meta-test of regression: every test task by several episodes, tasks the unit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.datasets.task_table import Standardization, TaskTable
from tfmeta.episodes import TaskEpisodes
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    check_learner_is_finite,
    check_num_episodes,
    check_task,
)
from tfmeta.evaluation.regression_result import METHODS, RegressionResult
from tfmeta.evaluation.support_baselines import support_mean, support_ridge
from tfmeta.learners import FewShotLearner

Inputs = dict[str, tf.Tensor]


def evaluate_regression(
    learner: FewShotLearner,
    episodes: TaskEpisodes,
    *,
    standardization: Standardization,
    num_episodes: int = 1000,
    seen_tasks: Iterable[str] | None = None,
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RegressionResult:
    """Measures a learner of regression on fixed episodes of tasks it never saw.

    Beside it stand the mean of the support and a ridge regression on the support, on
    the same episodes: a learner that was trained must be better than both.

    Args:
        learner: The learner, of rows and targets in the units of the table.
        episodes: Of the test tasks, `in_turn`.
        standardization: Of the training tasks, for the features of the ridge.
        num_episodes: Number of episodes, at least 600; as many more as give every task
            equally many.
        seen_tasks: Origins (`TaskTable.origins`) of every task that training and
            validation saw. No figure is reported when it is `None`, or has one of them.
        name: What the learner is called, by default its class.
        on_progress: Called with the number of episodes done, and of all.

    Returns:
        The errors of every task.

    Raises:
        ValueError: When test tasks were seen or it is not known, there are too few
            episodes, they are not in turn, the learner is no one of regression, or a
            prediction is not finite.

    Example:

    ```python
    test = TaskEpisodes(test_table, shots=10, queries=10, in_turn=True)
    print(evaluate_regression(learner, test, standardization=by, seen_tasks=seen))
    ```
    """
    check_num_episodes(num_episodes)
    _check_unseen(episodes, seen_tasks)
    if not episodes.in_turn:
        raise ValueError(
            "`episodes` must be in_turn=True, so that every task counts alike. "
            "Received: in_turn=False"
        )
    check_learner_is_finite(learner)
    tasks = episodes.table.num_tasks
    total = -(-num_episodes // tasks) * tasks
    sums = {
        method: np.zeros((2, tasks, len(episodes.table.target_names)))
        for method in METHODS
    }
    unanswered = UnansweredQueries(learner)
    answer = _answers_of(learner)
    done = 0
    for step in range(-(-total // episodes.tasks)):
        inputs, y = episodes.batch(step)
        check_task(learner, y)
        predicted = answer(inputs).numpy().astype(np.float64)
        ids, true = episodes.task_ids(step).numpy(), y.numpy().astype(np.float64)
        arrays = {part: values.numpy() for part, values in inputs.items()}
        for place in range(min(episodes.tasks, total - done)):
            found = {"learner": predicted[place]}
            sound = np.isfinite(predicted[place]).all(axis=-1)
            unanswered.add(np.where(sound, 0, -1)[None])
            if not sound.all():
                continue
            found |= _of_support(
                {part: values[place] for part, values in arrays.items()},
                standardization,
            )
            for method, values in found.items():
                wrong = values - true[place]
                sums[method][:, ids[place]] += (
                    np.square(wrong).mean(axis=0),
                    np.abs(wrong).mean(axis=0),
                )
        done = min(done + episodes.tasks, total)
        if on_progress is not None:
            on_progress(done, total)
    unanswered.check()
    means = {method: values / (total // tasks) for method, values in sums.items()}
    return RegressionResult(
        protocol=regression_protocol(episodes, total),
        learner=name or type(learner).__name__,
        transductive=learner.transductive,
        task_names=episodes.table.task_names,
        targets=episodes.table.target_names,
        squared={method: squared for method, (squared, _) in means.items()},
        absolute={method: absolute for method, (_, absolute) in means.items()},
    )


def regression_protocol(episodes: TaskEpisodes, num_episodes: int) -> dict[str, Any]:
    """What fixes a figure, in plain values: the data and the episodes."""
    settings = episodes.describe()
    return {
        "table": episodes.table.name,
        "fingerprint": task_fingerprint(episodes.table),
        **{name: settings[name] for name in ("shots", "queries", "seed")},
        "tasks": episodes.tasks,
        "episodes": num_episodes,
    }


def task_fingerprint(table: TaskTable) -> str:
    """Short digest of a table of tasks: its names and all of its numbers."""
    digest = hashlib.blake2b(digest_size=8)
    names = [table.name, *table.task_names, *table.feature_names, *table.target_names]
    digest.update("\n".join(names).encode())
    for values in (table.offsets, table.features, table.targets):
        digest.update(f"{values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _answers_of(learner: FewShotLearner) -> Callable[[Inputs], tf.Tensor]:
    @tf.function(reduce_retracing=True, autograph=False)
    def answer(inputs: Inputs) -> tf.Tensor:
        return learner.episode_logits(inputs)

    return answer


def _of_support(
    task: dict[str, np.ndarray], by: Standardization
) -> dict[str, np.ndarray]:
    """What the baselines predict for the queries of one task."""
    support, query = (
        (task[part] - by.feature_mean) / by.feature_scale
        for part in ("support", "query")
    )
    targets = task["support_labels"]
    return {
        "ridge": support_ridge(support, targets, query),
        "support_mean": support_mean(targets, len(query)),
    }


def _check_unseen(episodes: TaskEpisodes, seen: Iterable[str] | None) -> None:
    if seen is None:
        raise ValueError(
            "`seen_tasks` must name the tasks that training and validation saw, or be "
            "empty for a learner that was trained on none. Received: seen_tasks=None"
        )
    shared = sorted(episodes.origins & set(seen))
    if shared:
        raise ValueError(
            "test episodes must hold no task that training or validation saw. "
            f"Received: {len(shared)} such tasks, among them {', '.join(shared[:5])}"
        )
