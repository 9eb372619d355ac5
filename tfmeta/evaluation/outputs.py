"""What is kept of a learner's outputs, all of which would be too many."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmeta.evaluation.checks import answered_ways, present_ways

Inputs = dict[str, tf.Tensor]
Kept = dict[str, tf.Tensor]


def reader_of(task: str) -> Callable[[tf.Tensor, Inputs, tf.Tensor], Kept]:
    """What reads the outputs `(tasks, queries, outputs)` of a learner's `task`."""
    return read_predictions if task == "regression" else read_logits


def read_logits(logits: tf.Tensor, inputs: Inputs, y: tf.Tensor) -> Kept:
    """Of classification: the way answered, -1 for none, and how surely."""
    top = tf.reduce_max(logits, axis=-1)
    wide = tf.cast(logits[..., :2], tf.float64)
    predicted = answered_ways(logits, present_ways(inputs))
    return {
        "answered": predicted >= 0,
        "predicted": predicted,
        "probability": tf.exp(top - tf.reduce_logsumexp(logits, axis=-1)),
        "top_logit": top,
        "margin": wide[..., -1] - wide[..., 0],
    }


def read_predictions(predictions: tf.Tensor, inputs: Inputs, y: tf.Tensor) -> Kept:
    """Of regression: the squared error of each query, the mean over its outputs."""
    wide = tf.cast(predictions, tf.float64)
    squares = tf.square(wide - tf.cast(y, tf.float64))
    error = tf.reduce_mean(squares, axis=-1)
    return {"answered": tf.math.is_finite(error), "squared_error": error}
