"""Whether it is worth it: what the nearest tasks are of, and what a start is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from sklearn.neighbors import NearestNeighbors

from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.tasks.task_network import Parameters, TaskNetwork


@dataclasses.dataclass(frozen=True)
class TaskFigure:
    """A mean over tasks, with its intervals.

    Attributes:
        mean: The mean.
        half_width: Of the 95 % interval over the drawing of tasks from these classes.
        over_classes: The interval over other classes of these groups.
    """

    mean: float
    half_width: float
    over_classes: ClassInterval


def figure_of(
    values: np.ndarray,
    class_ids: np.ndarray,
    class_names: Sequence[str],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> TaskFigure:
    """The figure of one value for each task.

    Args:
        values: `(tasks,)`: shares, or differences of two that are paired.
        class_ids: Int `(tasks, ways)`: the classes of each.
        class_names: Of all classes.
        bounds: See `tfmeta.evaluation.over_test_classes`.
    """
    values = np.asarray(values, np.float64)
    return TaskFigure(
        float(values.mean()),
        over_episode_draws(values),
        over_test_classes(values, class_ids, class_names, bounds=bounds),
    )


def retrieved(
    known: np.ndarray,
    known_groups: Sequence[str],
    new: np.ndarray,
    new_groups: Sequence[str],
    *,
    neighbours: int = 5,
) -> np.ndarray:
    """Which share of the nearest known tasks is of the group of a new one.

    Args:
        known: Vectors of known tasks, `(known, size)`; by Euclidean distances.
        known_groups: Of each its group.
        new: Vectors of new tasks, `(tasks, size)`.
        new_groups: Of each its group.
        neighbours: How many are looked at.

    Returns:
        `(tasks,)`: the precision at `neighbours`.
    """
    index = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(known)
    nearest = index.kneighbors(new, return_distance=False)
    of_known = np.asarray(known_groups)[nearest]
    right: np.ndarray = of_known == np.asarray(new_groups)[:, np.newaxis]
    return right.mean(axis=1)


def chance_of_retrieval(
    known_groups: Sequence[str], new_groups: Sequence[str]
) -> np.ndarray:
    """The same of known tasks that are drawn at random, `(tasks,)`."""
    known = np.asarray(known_groups)
    return np.array([np.mean(known == group) for group in new_groups])


def standardised(known: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors in units of the deviations of known ones, where there is one."""
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    deviation = np.where(deviation > 1e-8, deviation, np.inf)
    return (known - mean) / deviation, (new - mean) / deviation


def accuracies_from(
    network: TaskNetwork,
    starts: Mapping[str, Parameters],
    support: np.ndarray,
    labels: np.ndarray,
    query: np.ndarray,
    query_labels: np.ndarray,
    *,
    steps: Sequence[int] = (1, 5, 20),
    learning_rate: float = 0.01,
) -> dict[str, np.ndarray]:
    """Accuracy after so many steps of training on the support, from each start.

    Args:
        network: Of the tasks.
        starts: Parameters by name, each part `(tasks, *shape)`.
        support: Features `(tasks, support, features)`.
        labels: One-hot `(tasks, support, ways)`.
        query: Features `(tasks, queries, features)`.
        query_labels: One-hot `(tasks, queries, ways)`.
        steps: Numbers of steps.
        learning_rate: See `TaskNetwork.fit`.

    Returns:
        By name of the start `(tasks, steps)`.
    """
    wanted = query_labels.argmax(axis=-1)
    found = {}
    for name, start in starts.items():
        columns = []
        for count in steps:
            trained = network.fit(
                support, labels, steps=count, learning_rate=learning_rate, start=start
            )
            logits = network(trained, tf.cast(query, tf.float32)).numpy()
            columns.append((logits.argmax(axis=-1) == wanted).mean(axis=1))
        found[name] = np.stack(columns, axis=1)
    return found


def regret(errors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How much worse the chosen candidate is than the best of all.

    Args:
        errors: `(tasks, candidates)`.
        chosen: Int `(tasks,)`.

    Returns:
        `(tasks,)`, at least 0.
    """
    every = np.arange(len(errors))
    of_chosen: np.ndarray = errors[every, chosen] - errors.min(axis=1)
    return of_chosen
