"""What learners share that sum embeddings class by class."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.finite import all_finite, finite_or_nan, nan_unless
from tfmeta.row_tables import RowTable, rows_known
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
    shares = tf.cast(labels, tf.float64)
    counts = tf.reduce_sum(shares, axis=-2)
    known = rows_known(embeddings)
    if known is not None and known.table.once(_is_finite):
        sums = known.set_by_set(_weighted_sums, shares, dtype=tf.float64)
    else:
        real = tf.reduce_any(labels > 0, axis=-1, keepdims=True)
        sums = _weighted_sums(tf.where(real, embeddings, 0.0), shares)
    # A row may weigh less than one.
    divisors = tf.where(counts > 0.0, counts, 1.0)
    means = sums / divisors[..., None]
    return tf.cast(means, embeddings.dtype), tf.cast(counts, embeddings.dtype)


def _weighted_sums(rows: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    # In float32 a large common offset takes the digits of what differs.
    return tf.matmul(shares, tf.cast(rows, tf.float64), transpose_a=True)


def _is_finite(table: RowTable) -> bool:
    # Then what is of no class has a share of 0 in a sum.
    return bool(all_finite([table.rows]))


def only_present(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Logits `(tasks, queries, ways)`, `-inf` for ways that are not `present`.

    And for no other: what is not finite for a way that is present is NaN.
    """
    absent = tf.constant(float("-inf"), logits.dtype)
    return tf.where(present[:, None, :], finite_or_nan(logits), absent)
