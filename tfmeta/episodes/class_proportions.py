"""How many queries each class of a task has, when it is not the same for all."""

from __future__ import annotations

import tensorflow as tf


def draw_dirichlet_counts(
    tasks: int, ways: int, total: int, concentration: float, stream: tf.Tensor
) -> tf.Tensor:
    """Counts whose proportions come from a symmetric Dirichlet distribution.

    As Veilleux, Boudiaf, Piantanida and Ben Ayed (2021), *Realistic Evaluation of
    Transductive Few-Shot Learning*, draw the queries of a task, with concentration
    2. Proportions become whole numbers by the largest remainders: each count is
    less than 1 away from its share of `total`.

    Args:
        tasks: Number of tasks.
        ways: Classes per task.
        total: Queries per task, of all classes together.
        concentration: Parameter of the distribution, above 0; the larger it is,
            the more alike the counts are.
        stream: Stateless seed of shape (2,).

    Returns:
        Int32 `(tasks, ways)`; each row sums to `total`.
    """
    weights = tf.random.stateless_gamma(
        [tasks, ways],
        stream,
        alpha=tf.constant(concentration, tf.float64),
        dtype=tf.float64,
    )
    # A concentration far below 1 may give nothing but zeros.
    weights = tf.maximum(weights, tf.constant(1e-300, tf.float64))
    shares = weights / tf.reduce_sum(weights, axis=1, keepdims=True) * total
    counts = tf.floor(shares)
    left = total - tf.cast(tf.reduce_sum(counts, axis=1, keepdims=True), tf.int32)
    order = tf.argsort(shares - counts, axis=1, direction="DESCENDING", stable=True)
    rank = tf.argsort(order, axis=1)
    return tf.cast(counts, tf.int32) + tf.cast(rank < left, tf.int32)
