"""Encoding the examples of all tasks of a batch in one call."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_rows, nan_unless
from tfmeta.layers import batch_statistics
from tfmeta.layers.empty_batch import apply_to_rows
from tfmeta.learners.encoder_check import check_examples
from tfmeta.pairs_at_once import are_pairs_at_once

# Of a frozen encoder, one graph for each dtype of its examples and set of weights:
# `quantize` puts others in their place.
_FROZEN: weakref.WeakKeyDictionary[keras.Model, dict[tuple, Callable]] = (
    weakref.WeakKeyDictionary()
)


def encode(
    encoder: keras.Model, examples: tf.Tensor, *, training: bool = False
) -> tf.Tensor:
    """Embeddings `(batch, *embedding)`, NaN where something was not finite.

    A frozen encoder is large as a rule, and tracing it takes seconds: it is traced
    once, for all graphs that call it in inference mode.

    Args:
        encoder: From `(batch, *example)` to `(batch, *embedding)`.
        examples: `(batch, *example)`.
        training: Whether the encoder runs in training mode.
    """
    graph = None
    if not training and not tf.executing_eagerly():
        graph = frozen_graph(encoder, examples.dtype)
    if graph is None:
        return _encode(encoder, examples, training=training)
    return graph(examples)


def frozen_graph(encoder: keras.Model, dtype: tf.DType) -> Callable | None:
    """The graph of a frozen encoder in inference mode, the same at each call.

    Args:
        encoder: From `(batch, *example)` to `(batch, *embedding)`.
        dtype: Of examples.

    Returns:
        What gives for examples what `encode` does; `None` for an encoder that is not
        frozen, or where it cannot be shared.
    """
    if (
        are_pairs_at_once()  # Whose sizes are fixed, others than the encoder's.
        or tf.distribute.has_strategy()
        or not encoder.weights
        or encoder.trainable_variables
    ):
        return None
    graphs = _FROZEN.setdefault(encoder, {})
    key = (dtype, *map(id, encoder.weights))
    if key not in graphs:
        graphs[key] = _graph_of(encoder, dtype)
    return graphs[key]


def _encode(encoder: keras.Model, examples: tf.Tensor, *, training: bool) -> tf.Tensor:
    sound = finite_rows(examples) & all_finite(encoder.weights)
    return nan_unless(sound, encoder(examples, training=training))


def _graph_of(encoder: keras.Model, dtype: tf.DType) -> Callable:
    # A graph that held its encoder would keep it for ever.
    held = weakref.ref(encoder)
    spec = tf.TensorSpec([None, *encoder.inputs[0].shape[1:]], dtype)

    @tf.function(input_signature=[spec])
    def embed(examples: tf.Tensor) -> tf.Tensor:
        frozen = held()
        assert frozen is not None, "called by a graph of its own encoder"
        return _encode(frozen, examples, training=False)

    return embed


def embed_rows(
    encoder: keras.Model,
    examples: tf.Tensor,
    *,
    mask: tf.Tensor | None = None,
    training: bool = False,
) -> tf.Tensor:
    """Embeds the examples of all tasks in one call of the encoder.

    Args:
        encoder: From `(batch, *example)` to `(batch, *embedding)`.
        examples: `(tasks, rows, *example)`.
        mask: `(tasks, rows)` bool; rows where it is False never reach the
            encoder, whose batch statistics would see them. Their embedding
            is 0.
        training: Whether the encoder runs in training mode.

    Returns:
        `(tasks, rows, *embedding)`; NaN for an example that is not finite, and for
        all where a weight is not. Of no rows, or of no tasks, an empty one.

    Raises:
        ValueError: When the encoder takes examples of another shape.
    """
    examples = tf.convert_to_tensor(examples)
    check_examples(encoder, examples.shape[2:])
    leading = tf.shape(examples)[:2]
    flat = tf.reshape(examples, tf.concat([[-1], tf.shape(examples)[2:]], axis=0))
    count = None if None in examples.shape[:2] else math.prod(examples.shape[:2])
    flat = tf.ensure_shape(flat, [count, *examples.shape[2:]])

    def encode_counted(batch: tf.Tensor, counted: tf.Tensor | None) -> tf.Tensor:
        if counted is None:
            return encode(encoder, batch, training=training)
        with batch_statistics(rows=counted):
            return encode(encoder, batch, training=training)

    def encode_shown(batch: tf.Tensor, shown: tf.Tensor | None) -> tf.Tensor:
        assert shown is not None
        nothing = tf.logical_not(tf.reduce_any(shown))
        if not training:
            # Where all rows are padding, the first stands for them.
            shown |= nothing & tf.equal(tf.range(tf.shape(shown)[0]), 0)
        rows = tf.where(shown)
        real = encode(encoder, tf.gather(batch, rows[:, 0]), training=training)
        real = tf.where(nothing, tf.zeros_like(real), real)
        shape = tf.concat([tf.shape(batch)[:1], tf.shape(real)[1:]], axis=0)
        return tf.scatter_nd(rows, real, tf.cast(shape, tf.int64))

    if mask is None or count == 0:
        embeddings = apply_to_rows(encode_counted, flat, training=training)
    else:
        shown = tf.reshape(mask, [-1])
        embeddings = apply_to_rows(encode_shown, flat, rows=shown, training=training)
    shape = tf.concat([leading, tf.shape(embeddings)[1:]], axis=0)
    embeddings = tf.reshape(embeddings, shape)
    return tf.ensure_shape(embeddings, [*examples.shape[:2], *encoder.output_shape[1:]])
