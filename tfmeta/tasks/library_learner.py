"""What a library keeps of a task, and the learner that it makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.learners.embedding import encode
from tfmeta.tasks.description import Description
from tfmeta.tasks.library_file import Entries
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.warm_start import WarmStart

# Examples that are encoded at once.
_AT_ONCE = 1024


def shapes_of(learner: WarmStart) -> dict[str, tuple[int, ...]]:
    """Of the numbers that a library keeps of a task, by name."""
    network = learner.network
    with tf.Graph().as_default():
        description = learner.describer.tensors(
            tf.zeros([1, 1, network.features]), tf.zeros([1, 1, network.outputs])
        )
    common, of_classes, present = (tuple(p.shape[1:]) for p in description.parts)
    return {
        "embedding": (learner.metric.size,),
        "common": common,
        "of_classes": of_classes,
        "present": present,
        "prototypes": (network.outputs, network.features),
        "has_way": (network.outputs,),
        **{f"parameters_{n}": shape for n, shape in enumerate(network.shapes)},
    }


def features_of(learner: WarmStart, examples: np.ndarray) -> np.ndarray:
    """What the encoder makes of `(tasks, rows, *example)`, `(tasks, rows, features)`.

    Raises:
        ValueError: When examples are of another shape.
    """
    examples = np.asarray(examples)
    wanted = tf.TensorShape(learner.encoder.input_shape[1:])
    if examples.ndim < 2 or not wanted.is_compatible_with(examples.shape[2:]):
        raise ValueError(
            f"`examples` must be (tasks, rows, *{tuple(wanted)}). Received: shape "
            f"{examples.shape}"
        )
    flat = examples.reshape(-1, *examples.shape[2:])
    parts = [
        encode(learner.encoder, tf.constant(flat[n : n + _AT_ONCE]), training=False)
        for n in range(0, len(flat), _AT_ONCE)
    ]
    found = np.concatenate([np.asarray(part, np.float32) for part in parts])
    return found.reshape(*examples.shape[:2], -1)


def numbers_of(
    learner: WarmStart,
    rows: np.ndarray,
    labels: np.ndarray,
    further: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    steps: int,
    learning_rate: float,
) -> dict[str, np.ndarray]:
    """Trains a network of every task, describes and embeds it.

    Args:
        learner: Says how.
        rows: Features `(tasks, rows, features)`.
        labels: One-hot float32 `(tasks, rows, ways)`, 0 in padded rows.
        further: Rows and labels alike, to train on besides.
        steps: Of training.
        learning_rate: Likewise.

    Returns:
        See `shapes_of`.

    Raises:
        ValueError: When shapes do not fit, or a number is not finite.
    """
    description = learner.describer(rows, labels)
    rows, labels = rows_to_train(rows, labels, further)
    parameters = learner.network.fit(
        rows, labels, steps=steps, learning_rate=learning_rate
    )
    return numbers_of_trained(
        description,
        learner.metric.embed(description),
        rows,
        labels,
        [part.numpy() for part in parameters],
    )


def rows_to_train(
    rows: np.ndarray,
    labels: np.ndarray,
    further: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What the networks of tasks are trained on, 0 in padded rows."""
    if further is not None:
        rows = np.concatenate([rows, further[0]], axis=1)
        labels = np.concatenate([labels, further[1]], axis=1)
    real = np.any(labels > 0, axis=-1)
    return np.where(real[:, :, np.newaxis], rows, np.float32(0)), labels


def numbers_of_trained(
    description: Description,
    embeddings: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    parameters: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """As `numbers_of`, of tasks that are described, embedded and trained.

    Args:
        description: Of the tasks.
        embeddings: `(tasks, size)`.
        rows: As of `rows_to_train`.
        labels: Likewise.
        parameters: Of their networks.
    """
    per_way = labels.sum(axis=1)
    sums = np.matmul(labels.transpose(0, 2, 1), rows)
    numbers = {
        "embedding": embeddings,
        "common": description.common,
        "of_classes": description.of_classes,
        "present": description.present.astype(np.float32),
        "prototypes": sums / np.maximum(per_way, 1)[:, :, np.newaxis],
        "has_way": (per_way > 0).astype(np.float32),
        **{f"parameters_{n}": part for n, part in enumerate(parameters)},
    }
    for name, part in numbers.items():
        if not np.isfinite(part).all():
            raise ValueError(
                "`examples` must be such that a network can be trained on them. "
                f"Received: {name} that are not finite"
            )
    return numbers


def description_of(entries: Entries) -> Description:
    """What the tasks of a library are described by."""
    numbers = entries.numbers
    return Description(numbers["common"], numbers["of_classes"], numbers["present"] > 0)


def with_metric(learner: WarmStart, metric: TaskMetric) -> WarmStart:
    """A learner of the same settings and no tasks, with another distance."""
    config = {
        **learner.get_config(),
        "names": [],
        "metric": keras.saving.serialize_keras_object(metric),
    }
    return _made(config, learner, metric)


def with_tasks(
    learner: WarmStart, entries: Entries | None, **options: Any
) -> WarmStart:
    """A learner that knows the tasks of a library, or none.

    Args:
        learner: Whose settings, encoder and distance are taken.
        entries: The tasks.
        **options: Settings that differ.
    """
    names = [] if entries is None else list(entries.names)
    config = {**learner.get_config(), **options, "names": names}
    made = _made(config, learner, learner.metric)
    if entries is not None:
        numbers = entries.numbers
        made.set_tasks(
            numbers["embedding"],
            numbers["prototypes"],
            numbers["has_way"] > 0,
            [numbers[f"parameters_{n}"] for n in range(len(made.network.shapes))],
        )
    return made


def _made(config: dict[str, Any], learner: WarmStart, metric: TaskMetric) -> WarmStart:
    made = WarmStart.from_config(config)
    made.encoder.set_weights(learner.encoder.get_weights())
    made.metric.set_weights(metric.get_weights())
    return made
