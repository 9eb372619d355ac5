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
) -> tf.Tensor:
    """Logits of every example of a sequence, where all before it are its support.

    Every prefix becomes a task of its own with one query, the next example. What comes
    later is there as padding, so that one call answers all.

    Args:
        adapt: The state of `support`, `support_labels` and `support_mask`.
        predict: Logits of the queries of a state.
        examples: `(tasks, steps, *example)`.
        labels: `(tasks, steps, ways)` one-hot, 0 in rows that are padding.

    Returns:
        `(tasks, steps, ways)`, `-inf` for ways of which nothing was told: at the first
        example of a sequence for all.
    """
    tasks, steps, ways = tf.unstack(tf.shape(labels))
    prefixes = tf.maximum(steps - 1, 0)
    real = tf.reduce_any(labels > 0, axis=-1)
    before = tf.sequence_mask(tf.range(1, prefixes + 1), steps)
    told = tf.reshape(real[:, tf.newaxis] & before, [tasks * prefixes, steps])
    support_labels = tf.repeat(labels, prefixes, axis=0)
    state = adapt(
        {
            "support": tf.repeat(examples, prefixes, axis=0),
            "support_labels": support_labels * tf.cast(told, labels.dtype)[..., None],
            "support_mask": told,
        }
    )
    one_each = tf.concat([[tasks * prefixes, 1], tf.shape(examples)[2:]], axis=0)
    query = tf.reshape(examples[:, 1:], one_each)
    query = tf.ensure_shape(query, [None, 1, *examples.shape[2:]])
    logits = predict(state, query)
    absent = tf.constant(float("-inf"), logits.dtype)
    # Of some that learn there is no state of nothing.
    known = tf.reduce_any(told, axis=1)[:, tf.newaxis, tf.newaxis]
    logits = tf.reshape(tf.where(known, logits, absent), [tasks, prefixes, ways])
    first = tf.fill([tasks, tf.minimum(steps, 1), ways], absent)
    return tf.ensure_shape(tf.concat([first, logits], axis=1), labels.shape)
