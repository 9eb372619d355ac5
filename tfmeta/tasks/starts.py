"""Where training on a new task begins: at what was learned on those that are near."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from tfmeta import distances
from tfmeta.tasks.task_network import Parameters

# Assignments are compared one by one: of 7 classes 5,040.
MOST_MATCHED = 7


def nearest_tasks(
    embeddings: tf.Tensor, known: tf.Tensor, neighbours: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The nearest of known tasks, the nearest first; of equal ones the first.

    Args:
        embeddings: `(tasks, size)`.
        known: `(known, size)`.
        neighbours: How many, at most those that there are.

    Returns:
        Euclidean distances `(tasks, neighbours)` and int32 numbers.
    """
    found = distances.Euclidean()(embeddings, known)
    nearest, numbers = tf.math.top_k(-found, neighbours)
    return -nearest, numbers


def mixture_weights(found: tf.Tensor, temperature: float) -> tf.Tensor:
    """How much of each neighbour is taken, a softmax of `-d^2 / temperature`.

    Args:
        found: Distances `(tasks, neighbours)`.
        temperature: Above 0, in units of squared distances.
    """
    return tf.nn.softmax(-(found**2) / temperature)


def matched_classes(
    prototypes: tf.Tensor, present: tf.Tensor, known: tf.Tensor, of_known: tf.Tensor
) -> tf.Tensor:
    """Which class of a neighbour each class of a task is, by the best assignment.

    The assignment of one class to one, of all there are, with the largest sum of
    cosines between prototypes, each less the mean of those of its task: what tells the
    classes of a task apart is what its head looks at.

    Args:
        prototypes: Of tasks, `(tasks, ways, features)`.
        present: Bool `(tasks, ways)`.
        known: Of their neighbours, `(tasks, neighbours, ways, features)`.
        of_known: Bool `(tasks, neighbours, ways)`.

    Returns:
        Int32 `(tasks, neighbours, ways)`: for each way that of the neighbour.

    Raises:
        ValueError: When there are more than 7 ways.
    """
    ways = prototypes.shape[1]
    check_ways(ways)
    own, others = _centred(prototypes, present), _centred(known, of_known)
    cosines = tf.einsum("twf,tnvf->tnwv", own, others)
    orders = np.array(list(itertools.permutations(range(ways))), np.int32)
    # A class of the task is a row of `cosines`, one of the neighbour a column.
    places = np.arange(ways, dtype=np.int32) * ways + orders
    shape = tf.shape(cosines)
    flat = tf.reshape(cosines, [shape[0], shape[1], ways * ways])
    sums = tf.reduce_sum(tf.gather(flat, places, axis=2), axis=-1)
    return tf.gather(orders, tf.argmax(sums, axis=-1, output_type=tf.int32))


def check_ways(ways: int) -> None:
    """Refuses more classes than can be matched.

    Raises:
        ValueError: When there are more than 7.
    """
    if ways > MOST_MATCHED:
        raise ValueError(
            f'`match="classes"` is for tasks of at most {MOST_MATCHED} ways; '
            f'match="body" is for any. Received: {ways} ways'
        )


def _centred(prototypes: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Directions from the mean of a task's prototypes, 0 where there is none."""
    here = tf.cast(present, prototypes.dtype)[..., tf.newaxis]
    count = tf.maximum(tf.reduce_sum(here, axis=-2, keepdims=True), 1.0)
    mean = tf.reduce_sum(prototypes * here, axis=-2, keepdims=True) / count
    return tf.math.l2_normalize(here * (prototypes - mean), axis=-1)


def mixed_start(
    parameters: Parameters,
    weights: tf.Tensor,
    classes: tf.Tensor | None,
    plain: Parameters,
) -> Parameters:
    """The weighted mean of the networks of neighbours.

    They were trained from one start, so that their units correspond.

    Args:
        parameters: Of neighbours, each part `(tasks, neighbours, *shape)`, the head
            last.
        weights: `(tasks, neighbours)`.
        classes: As `matched_classes` gives them; `None` where only the body is taken.
        plain: The start of all networks, each part `(tasks, *shape)`, whose head there
            is then.

    Returns:
        Of each task, each part `(tasks, *shape)`.
    """
    parts = list(parameters)
    head: Parameters = ()
    if classes is None:
        parts, head = parts[:-2], tuple(plain[-2:])
    else:
        columns = tf.transpose(parts[-2], [0, 1, 3, 2])
        columns = tf.gather(columns, classes, batch_dims=2)
        parts[-2] = tf.transpose(columns, [0, 1, 3, 2])
        parts[-1] = tf.gather(parts[-1], classes, batch_dims=2)
    mixed = (
        tf.reduce_sum(
            part * tf.reshape(weights, [*tf.unstack(tf.shape(weights)), *[1] * rest]),
            axis=1,
        )
        for part in parts
        for rest in [part.shape.rank - 2]
    )
    return (*mixed, *head)
