"""What learners share that sum embeddings class by class."""

from __future__ import annotations

import keras
import tensorflow as tf


def check_gives_vectors(encoder: keras.Model, argument: str = "encoder") -> None:
    """Checks that an encoder gives one vector per example.

    Raises:
        ValueError: When it gives anything else; names the argument.
    """
    shape = encoder.output_shape
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(
            f"`{argument}` must map a batch of examples to a batch of vectors, of "
            f"shape (batch, features). Received: output shape {shape}"
        )


def at_least_float32(embeddings: tf.Tensor) -> tf.Tensor:
    """Embeddings in float32, or in float64 where they are: for sums of many.

    Sums of half precision numbers lose shots.
    """
    wide = tf.float64 if embeddings.dtype == tf.float64 else tf.float32
    return tf.cast(embeddings, wide)


def real_labels(
    support_labels: tf.Tensor, support_mask: tf.Tensor | None, dtype: tf.DType
) -> tf.Tensor:
    """Labels `(tasks, support, ways)`, 0 in padded rows."""
    labels = tf.cast(support_labels, dtype)
    if support_mask is not None:
        labels *= tf.cast(support_mask, dtype)[:, :, None]
    return labels


def only_present(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Logits `(tasks, queries, ways)`, `-inf` for ways that are not `present`."""
    absent = tf.constant(float("-inf"), logits.dtype)
    return tf.where(present[:, None, :], logits, absent)
