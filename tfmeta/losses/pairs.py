"""The pairs that the rows of a batch make."""

from __future__ import annotations

import tensorflow as tf


def alike_pairs(labels: tf.Tensor) -> tf.Tensor:
    """Which rows are of one class.

    Args:
        labels: `(..., rows)`, class numbers.

    Returns:
        `(..., rows, rows)` bool; a row is alike itself.
    """
    labels = tf.convert_to_tensor(labels)
    return labels[..., :, None] == labels[..., None, :]


def pair_weights(weights: tf.Tensor) -> tf.Tensor:
    """The weight of each pair: the product of the weights of its rows.

    Args:
        weights: `(..., rows)`; a row of weight 0 makes no pair.

    Returns:
        `(..., rows, rows)`, 0 on the diagonal: a row makes no pair with itself.
    """
    products = weights[..., :, None] * weights[..., None, :]
    return tf.linalg.set_diag(products, tf.zeros_like(weights))


def mean_over_pairs(
    values: tf.Tensor, alike: tf.Tensor, weights: tf.Tensor, *, balanced: bool
) -> tf.Tensor:
    """The weighted mean of a value of each pair.

    Args:
        values: `(..., rows, rows)`, finite.
        alike: `(..., rows, rows)` bool.
        weights: `(..., rows)` of the rows.
        balanced: Whether alike pairs together count as much as all others
            together: the mean over each kind, times one half.

    Returns:
        A scalar; 0 without a pair.
    """
    weights = pair_weights(weights)
    if not balanced:
        return weighted_mean(values, weights)
    kinds = (tf.cast(kind, weights.dtype) for kind in (alike, ~alike))
    return tf.add_n([0.5 * weighted_mean(values, weights * kind) for kind in kinds])


def weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """`Σ w v / Σ w` over all axes; 0 where all weights are 0."""
    return tf.math.divide_no_nan(
        tf.reduce_sum(values * weights), tf.reduce_sum(weights)
    )
