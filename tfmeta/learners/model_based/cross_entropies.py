"""The cross-entropy of rows, of which some have no label."""

from __future__ import annotations

import tensorflow as tf


def cross_entropies(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropies, 0 for a row of no label, as its gradient is.

    That of TensorFlow is 0 there as well, but its gradient is that of a row whose
    labels add to 1.

    Args:
        labels: `(..., ways)` one-hot; 0 for a row of no label.
        logits: `(..., ways)`.

    Returns:
        `(...)`.
    """
    return -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=-1)
