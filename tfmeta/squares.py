"""Sums of squared differences that a common offset does not destroy."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.pairs_at_once import are_pairs_at_once
from tfmeta.row_tables import Gathered, RowTable, rows_known


def wide_dtype(*tensors: tf.Tensor) -> tf.DType:
    """Float64 where a tensor is, else float32: half precision ranks no neighbours."""
    wide = any(tensor.dtype == tf.float64 for tensor in tensors)
    return tf.float64 if wide else tf.float32


def common_offset(rows: tf.Tensor) -> tf.Tensor:
    """What all rows have in common: in each feature the part that none goes below.

    The number between the least and the largest value that is nearest to 0. Taken
    from every row it leaves the differences, and makes no row longer; a mean would,
    where one row lies far away. Rows of zeros, which stand for padding and absent
    ways, have no part in it, nor have rows that are not finite.

    Args:
        rows: `(..., rows, features)`, float.

    Returns:
        `(..., 1, features)`, a constant to gradients; 0 where no row counts.
    """
    counts = tf.reduce_all(tf.math.is_finite(rows), axis=-1, keepdims=True)
    counts &= tf.reduce_any(rows != 0.0, axis=-1, keepdims=True)
    least = tf.reduce_min(tf.where(counts, rows, rows.dtype.max), -2, keepdims=True)
    most = tf.reduce_max(tf.where(counts, rows, rows.dtype.min), -2, keepdims=True)
    offset = tf.maximum(least, 0.0) + tf.minimum(most, 0.0)
    any_counts = tf.reduce_any(counts, axis=-2, keepdims=True)
    return tf.stop_gradient(tf.where(any_counts, offset, 0.0))


def pairwise_squares(
    query: tf.Tensor, reference: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """`Σ_f w_f (q_f − r_f)²` of every query with every reference.

    Multiplied out: all differences at once would take `features` times the memory.
    The squares of float32 numbers are exact in float64, and their sums nearly, so
    that neither an offset nor clusters that lie far apart hide small differences,
    nor does the reduced precision of a matrix product on a GPU. Of float64 numbers
    the common offset is taken away.

    Args:
        query: `(..., queries, features)`, any float dtype.
        reference: `(..., references, features)`, the same dtype.
        weights: Of each reference, `(..., references, features)`, above 0; `None`
            for 1.

    Returns:
        Float64 `(..., queries, references)`, float32 inside of `pairs_at_once`, never
        negative; not finite where a row is not. Gradients are those of the sum, also
        where it is 0.
    """
    if are_pairs_at_once():
        return _squares_at_once(query, reference, weights)
    known = rows_known(query) if weights is None else None
    if known is not None:
        return _squares_of_known(known, reference)
    query, reference = (tf.cast(x, tf.float64) for x in (query, reference))
    offset = common_offset(reference)
    query, reference = query - offset, reference - offset
    squares = tf.square(query)
    if weights is None:
        weighted = reference
        of_query = tf.reduce_sum(squares, axis=-1, keepdims=True)
    else:
        weights = tf.cast(weights, tf.float64)
        weighted = weights * reference
        of_query = tf.matmul(squares, weights, transpose_b=True)
    of_reference = tf.reduce_sum(weighted * reference, axis=-1)[..., None, :]
    product = tf.matmul(query, weighted, transpose_b=True)
    return _not_negative(of_query + of_reference - 2.0 * product)


def _squares_at_once(
    query: tf.Tensor, reference: tf.Tensor, weights: tf.Tensor | None
) -> tf.Tensor:
    query, reference = (tf.cast(x, tf.float32) for x in (query, reference))
    squares = tf.square(
        tf.expand_dims(query, axis=-2) - tf.expand_dims(reference, axis=-3)
    )
    if weights is not None:
        squares *= tf.expand_dims(tf.cast(weights, tf.float32), axis=-3)
    return tf.reduce_sum(squares, axis=-1)


def _squares_of_known(query: Gathered, reference: tf.Tensor) -> tf.Tensor:
    """As `pairwise_squares`, of queries that are rows of a table.

    With the table's own offset `o` it is `|q - o|² - 2 q·(r - o) + |r - o|² + 2 o·(r -
    o)`: the first is a number of each row, and no other term takes a pass over all
    queries but their product.
    """
    offset, squares = query.table.once(_about_the_offset)
    reference = tf.cast(reference, tf.float64) - offset
    of_query = squares.gather(query.places)[..., None]
    of_reference = tf.reduce_sum(reference * (reference + 2.0 * offset), axis=-1)
    # On a CPU a product with the second factor turned beforehand takes half the time.
    # The number stands between, or a graph would be rewritten to do without turning.
    turned = -2.0 * tf.linalg.matrix_transpose(reference)
    product = query.set_by_set(
        lambda rows, factors: tf.matmul(tf.cast(rows, tf.float64), factors),
        turned,
        dtype=tf.float64,
    )
    return _not_negative(of_query + of_reference[..., None, :] + product)


def _about_the_offset(table: RowTable) -> tuple[tf.Tensor, RowTable]:
    """The common offset of a table, float64, and each row's square about it."""
    offset = tf.cast(common_offset(table.rows), tf.float64)

    def squares(rows: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(tf.cast(rows, tf.float64) - offset), axis=-1)

    return offset, table.mapped(squares)


def _not_negative(total: tf.Tensor) -> tf.Tensor:
    # Rounding alone goes below 0. A rectifier would cut the gradient there.
    return total + tf.stop_gradient(tf.where(total < 0.0, -total, 0.0))


def root(square: tf.Tensor) -> tf.Tensor:
    """The root of squares, with 0 for the gradient at 0, where none is finite."""
    # Not by what is above 0, which NaN is not; nor by the negation of this, which
    # TensorFlow's graphs rewrite to what is above 0.
    is_zero = square <= 0.0
    positive = tf.where(is_zero, tf.ones_like(square), square)
    return tf.where(is_zero, tf.zeros_like(square), tf.sqrt(positive))
