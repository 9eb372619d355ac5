"""Seeds of tasks, by their numbers."""

from __future__ import annotations

import tensorflow as tf


def task_seeds(seed: int, stream: int, numbers: tf.Tensor) -> tf.Tensor:
    """A stateless seed for each task, a function of the family's and its number.

    Args:
        seed: Of the family.
        stream: What is drawn: families and parameters of their own share nothing.
        numbers: Int64 `(tasks,)`.

    Returns:
        Int64 `(tasks, 2)`, each for `tf.random.stateless_*`.
    """
    root = tf.random.fold_in(
        tf.constant([seed, stream], tf.int64), tf.constant(0, tf.int64)
    )
    numbers = tf.cast(numbers, tf.int64)
    # The number is one half of a key, so that tasks of one seed never share theirs.
    return tf.stack([tf.fill(tf.shape(numbers), root[0]), numbers], axis=1)


def task_uniform(seeds: tf.Tensor, size: int) -> tf.Tensor:
    """Numbers in [0, 1) of each task, each a function of its seed alone.

    Args:
        seeds: As `task_seeds` gives them.
        size: How many.

    Returns:
        Float32 `(tasks, size)`.
    """
    drawn: tf.Tensor = tf.map_fn(
        lambda own: tf.random.stateless_uniform([size], own),
        seeds,
        fn_output_signature=tf.TensorSpec([size], tf.float32),
    )
    return drawn
