"""Sequences by the two verbs: each example after what was told before it."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmeta.learners.each_query import State


def logits_by_prefix(
    adapt: Callable[[dict[str, tf.Tensor]], State],
    predict: Callable[[State, tf.Tensor], tf.Tensor],
    examples: tf.Tensor,
    labels: tf.Tensor,
    *,
    dtype: tf.DType,
) -> tf.Tensor:
    """Logits of every example of a sequence, where all before it are its support.

    One prefix after the other, of all tasks at once: a learner that keeps much of each
    example has one support in memory, not all of them.

    Args:
        adapt: The state of `support`, `support_labels` and `support_mask`.
        predict: Logits of the queries of a state.
        examples: `(tasks, steps, *example)`.
        labels: `(tasks, steps, ways)` one-hot, 0 in rows that are padding.
        dtype: Of the logits.

    Returns:
        `(tasks, steps, ways)`, `-inf` for ways of which nothing was told: at the first
        example of a sequence for all.
    """
    tasks, steps, ways = tf.unstack(tf.shape(labels))
    absent = tf.constant(float("-inf"), dtype)
    if labels.shape[1] in (0, 1):
        # A loop without a step has no shape outside of graphs.
        return tf.fill(tf.shape(labels), absent)
    real = tf.reduce_any(labels > 0, axis=-1)

    def behind(count: tf.Tensor) -> tf.Tensor:
        told = real[:, :count]
        state = adapt(
            {
                "support": examples[:, :count],
                "support_labels": labels[:, :count],
                "support_mask": told,
            }
        )
        query = tf.gather(examples, [count], axis=1)
        logits = tf.cast(predict(state, query)[:, 0], dtype)
        # Of some that learn there is no state of nothing.
        return tf.where(tf.reduce_any(told, axis=1, keepdims=True), logits, absent)

    logits = tf.map_fn(
        behind,
        tf.range(1, steps),
        fn_output_signature=tf.TensorSpec([None, None], dtype),
        parallel_iterations=1,
    )
    first = tf.fill([tasks, tf.minimum(steps, 1), ways], absent)
    logits = tf.concat([first, tf.transpose(logits, [1, 0, 2])], axis=1)
    return tf.ensure_shape(logits, labels.shape)
