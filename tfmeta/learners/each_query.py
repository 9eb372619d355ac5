"""Queries of a task that are classified one by one."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

State = dict[str, tf.Tensor]


def each_query_alone(
    predict_query: Callable[[State, tf.Tensor], tf.Tensor],
    state: State,
    query: tf.Tensor,
) -> tf.Tensor:
    """Logits that no other query has a part in, whatever the learner.

    Every query becomes the one query of a task of its own, with a copy of the
    state of its task.

    Args:
        predict_query: The learner's verb.
        state: What `adapt` returned.
        query: `(tasks, queries, *example)`.

    Returns:
        Logits `(tasks, queries, ways)`.

    Example:

    ```python
    state = learner.adapt(support, support_labels)
    logits = each_query_alone(learner.predict_query, state, query)
    ```
    """
    tasks, queries = tf.shape(query)[0], tf.shape(query)[1]
    copies = {name: tf.repeat(part, queries, axis=0) for name, part in state.items()}
    shape = tf.concat([[tasks * queries, 1], tf.shape(query)[2:]], axis=0)
    one_each = tf.ensure_shape(tf.reshape(query, shape), [None, 1, *query.shape[2:]])
    logits = predict_query(copies, one_each)
    return tf.reshape(logits, [tasks, queries, tf.shape(logits)[-1]])
