"""Which tasks are alike: what a distance over tasks is to learn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.losses import TripletLoss
from tfmeta.seeds import spawn_seeds
from tfmeta.tasks.description import Description
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.task_network import Parameters, TaskNetwork


def alike_by_group(groups: Sequence[str]) -> np.ndarray:
    """Tasks of the same group are alike: an alphabet, a superclass, a domain.

    Args:
        groups: Of each task its group.

    Returns:
        Bool `(tasks, tasks)`.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    return numbers[:, np.newaxis] == numbers


def alike_by_classes(
    classes: Sequence[Collection[str]], minimum: float = 0.5
) -> np.ndarray:
    """Tasks are alike that share enough of their classes.

    Args:
        classes: Of each task the names of its classes.
        minimum: The least share, of the classes of the smaller of two tasks.

    Returns:
        Bool `(tasks, tasks)`; a task is alike itself.

    Raises:
        ValueError: When `minimum` is not above 0 and at most 1, or a task has none.
    """
    if not 0 < minimum <= 1:
        raise ValueError(
            f"`minimum` must be above 0 and at most 1. Received: minimum={minimum}"
        )
    sizes = np.array([len(set(one)) for one in classes])
    if not sizes.all():
        raise ValueError(
            "`classes` must name at least one class of every task. Received: none of "
            f"task {int(np.argmin(sizes))}"
        )
    names = sorted({name for one in classes for name in one})
    place = {name: number for number, name in enumerate(names)}
    has = np.zeros((len(classes), len(names)), np.float32)
    for number, one in enumerate(classes):
        has[number, [place[name] for name in one]] = 1
    # Whole numbers below 2 ** 24, which float32 holds.
    found: np.ndarray = has @ has.T >= minimum * np.minimum(sizes[:, None], sizes)
    return found


def alike_by_gain(gains: np.ndarray, fraction: float = 0.1) -> np.ndarray:
    """Tasks are alike from which the start of training gains most, either way.

    Args:
        gains: Float `(sources, tasks)`, square, see `transfer_gains`.
        fraction: Which share of the other tasks is alike each.

    Returns:
        Bool `(tasks, tasks)`, the same both ways; a task is alike itself.

    Raises:
        ValueError: When gains are not square or not finite, or the fraction is not
            above 0 and below 1.
    """
    gains = np.asarray(gains, np.float64)
    if gains.ndim != 2 or gains.shape[0] != gains.shape[1]:
        raise ValueError(
            f"`gains` must be (tasks, tasks). Received: shape {gains.shape}"
        )
    if not np.isfinite(gains).all():
        raise ValueError("`gains` must be finite. Received: NaN or infinity")
    if not 0 < fraction < 1:
        raise ValueError(
            f"`fraction` must be above 0 and below 1. Received: fraction={fraction}"
        )
    both = (gains + gains.T) / 2
    np.fill_diagonal(both, -np.inf)
    count = max(1, round(fraction * (len(gains) - 1)))
    best = np.argsort(-both, axis=1, kind="stable")[:, :count]
    alike = np.eye(len(gains), dtype=bool)
    np.put_along_axis(alike, best, True, axis=1)
    return alike | alike.T


def any_alike(alike: np.ndarray) -> bool:
    """Whether two different tasks are alike, of bool `(tasks, tasks)`."""
    return bool(np.any(alike & ~np.eye(len(alike), dtype=bool)))


def transfer_gains(
    network: TaskNetwork,
    parameters: Parameters,
    rows: np.ndarray,
    labels: np.ndarray,
    query: np.ndarray,
    query_labels: np.ndarray,
    *,
    steps: int = 5,
    learning_rate: float = 0.01,
) -> np.ndarray:
    """What each task gains where training begins at the network of another.

    The body of a network is taken, its head begins at the plain start, as the classes
    of two tasks have nothing to do with each other; then it is trained on the support.
    A gain is how much less the loss of the queries is then, than from the plain start.

    Args:
        network: Of all tasks.
        parameters: Of the sources, as `TaskNetwork.fit` gives them.
        rows: Support of the tasks, `(tasks, rows, features)`.
        labels: One-hot, `(tasks, rows, outputs)`; of regression numbers.
        query: `(tasks, queries, features)`.
        query_labels: As `labels`.
        steps: Of training, from either start.
        learning_rate: See `TaskNetwork.fit`.

    Returns:
        Float32 `(sources, tasks)`.
    """
    options: dict[str, Any] = {"steps": steps, "learning_rate": learning_rate}

    def loss(start: Sequence[tf.Tensor] | None) -> np.ndarray:
        trained = network.fit(rows, labels, start=start, **options)
        losses = network.losses(
            trained,
            tf.cast(query, tf.float32),
            tf.cast(query_labels, tf.float32),
        )
        return np.asarray(losses)

    plain = loss(None)
    head = network.started(len(rows))[-2:]
    found = []
    for source in range(len(parameters[0])):
        body = [
            tf.repeat(part[source : source + 1], len(rows), axis=0)
            for part in parameters[:-2]
        ]
        found.append(plain - loss([*body, *head]))
    return np.stack(found)


def alike_batches(
    metric: TaskMetric,
    description: Description,
    alike: np.ndarray,
    *,
    batch_size: int = 256,
    seed: int | None = None,
) -> tf.data.Dataset:
    """What `TaskMetric.fit` learns from where being alike is said of each pair.

    Args:
        metric: The metric.
        description: Of the tasks.
        alike: Bool `(tasks, tasks)`.
        batch_size: Tasks of a batch.
        seed: Of their order, another in every epoch.

    Returns:
        Batches `(inputs, alike)` of some tasks and of their pairs.

    Raises:
        ValueError: When `alike` is not of these tasks, or not the same both ways.

    Example:

    ```python
    alike = tfmeta.tasks.alike_by_classes(classes)
    metric.compile("adam", loss=tfmeta.losses.ContrastiveLoss(balanced=True))
    metric.fit(tfmeta.tasks.alike_batches(metric, description, alike), epochs=20)
    ```
    """
    alike = np.asarray(alike)
    tasks = len(description)
    if alike.dtype != bool or alike.shape != (tasks, tasks):
        raise ValueError(
            f"`alike` must be bool ({tasks}, {tasks}), of the pairs of the described "
            f"tasks. Received: {alike.dtype} of shape {alike.shape}"
        )
    if not np.array_equal(alike, alike.T):
        raise ValueError("`alike` must be the same both ways. Received: it is not")
    (own,) = spawn_seeds(seed, 1, stream="alike_batches")
    inputs = {
        name: tf.constant(part) for name, part in metric.inputs(description).items()
    }
    pairs = tf.constant(alike)

    def of(chosen: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        some = {name: tf.gather(part, chosen) for name, part in inputs.items()}
        return some, tf.gather(tf.gather(pairs, chosen), chosen, axis=1)

    numbers = tf.data.Dataset.range(tasks).shuffle(tasks, seed=own)
    return numbers.batch(batch_size).map(of)


def learned_metric(
    like: TaskMetric,
    draw: Callable[[int], tuple[Description, np.ndarray]],
    *,
    loss: keras.losses.Loss | None = None,
    epochs: int = 20,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    seed: int | None = None,
) -> tuple[TaskMetric, dict[str, list[float]]]:
    """A metric that was trained on the pairs of tasks.

    Args:
        like: A metric of the same sizes.
        draw: Of the number of an epoch its tasks, and bool `(tasks, tasks)`, which of
            them are alike.
        loss: Of metric learning, by default `TripletLoss` of margin 0.2.
        epochs: How many.
        batch_size: Tasks of a batch.
        learning_rate: Of Adam.
        seed: Of the order of tasks and the weights of the metric.

    Returns:
        The metric, and what Keras' `fit` keeps of every epoch.

    Raises:
        ValueError: When the second is not of the first, or no two tasks are alike.
    """
    metric: TaskMetric | None = None
    history: dict[str, list[float]] = {}
    for epoch, own in enumerate(spawn_seeds(seed, epochs, stream="learned_metric")):
        description, alike = draw(epoch)
        if not any_alike(alike):
            raise ValueError(
                "`alike` must say of at least two tasks that they are alike. Received: "
                f"none among {len(description)} tasks"
            )
        if metric is None:
            metric = TaskMetric.of(
                description, size=like.size, units=like.units, seed=seed
            )
            metric.compile(
                keras.optimizers.Adam(learning_rate),
                loss=loss or TripletLoss(margin=0.2),
            )
        batches = alike_batches(
            metric, description, alike, batch_size=batch_size, seed=own
        )
        for name, values in metric.fit(
            batches, shuffle=False, verbose=0
        ).history.items():
            history.setdefault(name, []).extend(values)
    if metric is None:
        raise ValueError(f"`epochs` must be at least 1. Received: epochs={epochs}")
    return metric, history
