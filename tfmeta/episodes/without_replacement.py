"""Uniform draws without replacement, stateless and vectorised over rows."""

from __future__ import annotations

import tensorflow as tf

# Beyond this ratio of the range to the number of draws, drawing each number alone
# is faster than ordering random numbers for the whole range (measured on a CPU).
_RATIO = 64


def draw_without_replacement(
    sizes: tf.Tensor, largest: int, count: int, stream: tf.Tensor
) -> tf.Tensor:
    """For each row, `count` different numbers below the row's size, in any order.

    All ordered selections are equally likely.

    Args:
        sizes: Integer `(rows,)`, each at least `count`.
        largest: The largest of the sizes.
        count: Numbers to draw.
        stream: Stateless seed of shape (2,).

    Returns:
        Int32 `(rows, count)`.
    """
    sizes = tf.cast(sizes, tf.int32)
    if largest > _RATIO * count:
        return _draw_few(sizes, count, stream)
    rows = tf.shape(sizes)[0]
    # The positions of the largest of independent random numbers; beyond its size a
    # row has -1, which is never among them.
    noise = tf.random.stateless_uniform([rows, largest], stream)
    noise = tf.where(tf.range(largest) < sizes[:, None], noise, -1.0)
    return tf.math.top_k(noise, count).indices


def draw_further(
    taken: tf.Tensor, sizes: tf.Tensor, largest: int, count: int, stream: tf.Tensor
) -> tf.Tensor:
    """For each row, `count` different numbers below its size that are not taken.

    All ordered selections of what is left are equally likely.

    Args:
        taken: Int32 `(rows, taken)`, different numbers below the row's size.
        sizes: Integer `(rows,)`, each at least `taken + count`.
        largest: The largest of the sizes.
        count: Numbers to draw.
        stream: Stateless seed of shape (2,).

    Returns:
        Int32 `(rows, count)`.
    """
    number = taken.shape[1]
    place = draw_without_replacement(
        tf.cast(sizes, tf.int32) - number, largest - number, count, stream
    )
    # How many numbers that are left lie before each taken one: those taken ones
    # are passed on the way to the number at `place`.
    left_before = tf.sort(taken, axis=1) - tf.range(number)
    passed = left_before[:, None, :] <= place[:, :, None]
    return place + tf.reduce_sum(tf.cast(passed, tf.int32), axis=2)


def _draw_few(sizes: tf.Tensor, count: int, stream: tf.Tensor) -> tf.Tensor:
    """Robert Floyd's algorithm, then a shuffle.

    Bentley and Floyd (1987), *Programming Pearls: A Sample of Brilliance*: the
    i-th draw is from one number more than the draw before; one that is taken
    already is replaced by the number that has just been added.
    """
    rows = tf.shape(sizes)[0]
    number_stream = tf.random.fold_in(stream, tf.constant(0, tf.int64))
    order_stream = tf.random.fold_in(stream, tf.constant(1, tf.int64))
    added = sizes[:, None] - count + tf.range(count)
    bits = tf.random.stateless_uniform(
        [rows, count], number_stream, minval=None, maxval=None, dtype=tf.uint32
    )
    drawn = tf.cast(tf.cast(bits, tf.int64) % tf.cast(added + 1, tf.int64), tf.int32)
    chosen = drawn[:, :1]
    for i in range(1, count):
        new = drawn[:, i : i + 1]
        taken = tf.reduce_any(chosen == new, axis=1, keepdims=True)
        new = tf.where(taken, added[:, i : i + 1], new)
        chosen = tf.concat([chosen, new], axis=1)
    order = tf.random.stateless_uniform([rows, count], order_stream)
    return tf.gather(chosen, tf.math.top_k(order, count).indices, batch_dims=1)
