"""Batches whose inputs hold the labels of queries, for objectives that need them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Beside the parts of an episode batch.
QUERY_LABELS, QUERY_WEIGHTS = "query_labels", "query_weights"


def with_query_labels(data: tuple) -> tuple[dict[str, Any], Any, Any]:
    """A batch whose inputs hold what is otherwise known to the loss alone.

    Args:
        data: `(inputs, y)` or `(inputs, y, sample_weight)`, an episode batch.

    Returns:
        The same, where `inputs` hold besides, under `QUERY_LABELS`, `y`; and under
        `QUERY_WEIGHTS` the weights of the queries, float `(tasks, queries)`, 0 for
        padding.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    weights = tf.ones(tf.shape(y)) if sample_weight is None else sample_weight
    if "query_mask" in x:
        weights *= tf.cast(x["query_mask"], weights.dtype)
    return {**x, QUERY_LABELS: y, QUERY_WEIGHTS: weights}, y, sample_weight
