"""Losses of the inner loop, over the real rows of one support set."""

from __future__ import annotations

import tensorflow as tf


def cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor | None, present: tf.Tensor
) -> tf.Tensor:
    """Mean cross-entropy over real rows, among the ways that are present.

    Written out, because TensorFlow's fused operation has derivatives that some
    export formats do not know.

    Args:
        logits: `(support, ways)`.
        labels: `(support, ways)` one-hot.
        mask: `(support,)` bool, False is padding, or `None`.
        present: `(ways,)` bool.
    """
    # Finite, because 0 * inf would be NaN.
    logits = tf.where(present, logits, logits.dtype.min / 4)
    log_probabilities = logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    labels = tf.cast(labels, logits.dtype)
    return mean_over_rows(-tf.reduce_sum(labels * log_probabilities, axis=-1), mask)


def squared_error(
    outputs: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor | None
) -> tf.Tensor:
    """Mean squared error over real rows and outputs.

    Args:
        outputs: `(support, outputs)`.
        targets: `(support, outputs)`.
        mask: `(support,)` bool, False is padding, or `None`.
    """
    if mask is not None:
        targets = tf.where(mask[:, None], targets, tf.zeros_like(targets))
    difference = outputs - tf.cast(targets, outputs.dtype)
    return mean_over_rows(tf.reduce_mean(tf.square(difference), axis=-1), mask)


def mean_over_rows(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Mean of `(rows,)` over real rows; 0 where there are none."""
    if mask is None:
        return tf.reduce_mean(values)
    real = tf.reduce_sum(tf.cast(mask, values.dtype))
    values = tf.where(mask, values, tf.zeros_like(values))
    return tf.reduce_sum(values) / tf.maximum(real, 1.0)
