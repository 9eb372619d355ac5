"""What is done to a batch that may hold no example at all."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmeta.pairs_at_once import are_pairs_at_once


def apply_to_rows(
    function: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor],
    examples: tf.Tensor,
    *,
    rows: tf.Tensor | None = None,
    training: bool = False,
) -> tf.Tensor:
    """Applies a function to the rows of a batch, of which there may be none.

    On a CPU a convolution gives an empty batch the wrong number of channels and a
    pooling ends the process (tensorflow#126128); other operations have trouble of
    their own. So an empty batch gets a row of nothing, which is dropped again.

    Args:
        function: From `(batch, *example)`, and which rows count for statistics of the
            batch, `(batch,)` bool or `None` for all, to `(batch, *result)`.
        examples: `(batch, *example)`.
        rows: What `function` gets, for `examples`.
        training: Whether statistics of the batch are kept: the row of nothing does
            not count then.

    Returns:
        `(batch, *result)`.
    """
    count = examples.shape[0]
    # Training on a number of rows that is not known is never on none. LiteRT's
    # quantization writes beyond its memory where a tensor holds nothing.
    if count or are_pairs_at_once() or (training and count is None):
        return function(examples, rows)
    missing: int | tf.Tensor = 1
    if count is None:
        count = tf.shape(examples)[0]
        missing = tf.cast(tf.equal(count, 0), tf.int32)
    some = tf.concat([examples, blank_rows(examples, missing)], axis=0)
    if rows is not None or training:
        shown = tf.ones([count], tf.bool) if rows is None else rows
        rows = tf.concat([shown, tf.zeros([missing], tf.bool)], axis=0)
    return function(some, rows)[:count]


def blank_rows(examples: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """So many rows of 0, or of empty text, of the shape and dtype of the examples."""
    shape = tf.concat([[count], tf.shape(examples)[1:]], axis=0)
    blank = tf.zeros(shape, examples.dtype)
    return tf.ensure_shape(blank, [None, *examples.shape[1:]])
