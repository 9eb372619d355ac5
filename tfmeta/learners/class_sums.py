"""What learners share that sum embeddings class by class."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.finite import finite_or_nan, nan_unless
from tfmeta.squares import wide_dtype


def at_least_float32(embeddings: tf.Tensor) -> tf.Tensor:
    """Embeddings in float32, or in float64 where they are: for sums of many.

    Sums of half precision numbers lose shots.
    """
    return tf.cast(embeddings, wide_dtype(embeddings))


def sound_support(
    embeddings: tf.Tensor, support_labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """A support whose labels are finite, and whose rows are NaN where they were not.

    A comparison with 0 would take a label that is no number for that of another way,
    and the way for absent.

    Args:
        embeddings: `(tasks, support, *embedding)`.
        support_labels: `(tasks, support, ways)`.

    Returns:
        The same, a label that was not finite being 1 in a row of NaN.
    """
    embeddings = tf.convert_to_tensor(embeddings)
    support_labels = tf.convert_to_tensor(support_labels)
    if not support_labels.dtype.is_floating:
        return embeddings, support_labels
    constant = tf.get_static_value(support_labels)
    if constant is not None and np.isfinite(constant).all():
        return embeddings, support_labels
    sound = tf.math.is_finite(support_labels)
    one = tf.ones([], support_labels.dtype)
    return (
        nan_unless(tf.reduce_all(sound, axis=-1), embeddings),
        tf.where(sound, support_labels, one),
    )


def real_labels(
    support_labels: tf.Tensor, support_mask: tf.Tensor | None, dtype: tf.DType
) -> tf.Tensor:
    """Labels `(tasks, support, ways)`, 0 in padded rows."""
    labels = tf.cast(support_labels, dtype)
    if support_mask is not None:
        labels *= tf.cast(support_mask, dtype)[:, :, None]
    return labels


def class_means(
    embeddings: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean embedding of each class.

    Args:
        embeddings: `(..., support, features)`, at least float32. Rows of no class
            are unread.
        labels: `(..., support, ways)`, as `real_labels` gives them: one-hot, or that
            times the weight of a row.

    Returns:
        `(..., ways, features)`, 0 for a way without a real row, in the embeddings'
        dtype; and the number of rows of each, or the sum of their weights,
        `(..., ways)`.
    """
    constant = tf.get_static_value(labels)
    if constant is None or not (constant > 0).any(axis=-1).all():
        real = tf.reduce_any(labels > 0, axis=-1, keepdims=True)
        embeddings = tf.where(real, embeddings, 0.0)
    # In float32 a large common offset takes the digits of what differs.
    rows, shares = (tf.cast(values, tf.float64) for values in (embeddings, labels))
    counts = tf.reduce_sum(shares, axis=-2)
    sums = tf.matmul(shares, rows, transpose_a=True)
    # A row may weigh less than one.
    divisors = tf.where(counts > 0.0, counts, 1.0)
    means = sums / divisors[..., None]
    return tf.cast(means, embeddings.dtype), tf.cast(counts, embeddings.dtype)


def only_present(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Logits `(tasks, queries, ways)`, `-inf` for ways that are not `present`.

    And for no other: what is not finite for a way that is present is NaN.
    """
    absent = tf.constant(float("-inf"), logits.dtype)
    return tf.where(present[:, None, :], finite_or_nan(logits), absent)
