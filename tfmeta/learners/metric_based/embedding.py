"""Encoding the examples of all tasks of a batch in one call."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_rows, nan_unless


def encode(
    encoder: keras.Model, examples: tf.Tensor, *, training: bool = False
) -> tf.Tensor:
    """Embeddings `(batch, *embedding)`, NaN where something was not finite.

    Args:
        encoder: From `(batch, *example)` to `(batch, *embedding)`.
        examples: `(batch, *example)`.
        training: Whether the encoder runs in training mode.
    """
    sound = finite_rows(examples) & all_finite(encoder.weights)
    return nan_unless(sound, encoder(examples, training=training))


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
        all where a weight is not.
    """
    examples = tf.convert_to_tensor(examples)
    leading = tf.shape(examples)[:2]
    flat = tf.reshape(examples, tf.concat([[-1], tf.shape(examples)[2:]], axis=0))
    flat = tf.ensure_shape(flat, [None, *examples.shape[2:]])
    if mask is None:
        embeddings = encode(encoder, flat, training=training)
    else:
        rows = tf.where(tf.reshape(mask, [-1]))
        real = encode(encoder, tf.gather(flat, rows[:, 0]), training=training)
        shape = tf.concat([[tf.shape(flat)[0]], tf.shape(real)[1:]], axis=0)
        embeddings = tf.scatter_nd(rows, real, tf.cast(shape, tf.int64))
    shape = tf.concat([leading, tf.shape(embeddings)[1:]], axis=0)
    embeddings = tf.reshape(embeddings, shape)
    return tf.ensure_shape(embeddings, [*examples.shape[:2], *encoder.output_shape[1:]])
