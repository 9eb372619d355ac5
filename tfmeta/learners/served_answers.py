"""What a served answer holds: one form, whichever signature gives it."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.squares import wide_dtype


def classified(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """The answer of a classification.

    Args:
        logits: `(queries, ways)`; `-inf` for a way without a support example.

    Returns:
        `probabilities` and `logits` `(queries, ways)`, float32 or float64, and `ways`,
        an int32 scalar. What joins requests row by row cannot share a scalar out
        among them, so that it stops there.
    """
    logits = tf.cast(logits, wide_dtype(logits))
    return {
        "probabilities": tf.nn.softmax(logits),
        "logits": logits,
        "ways": tf.shape(logits)[-1],
    }


def predicted(outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """The answer of a regression.

    Args:
        outputs: `(queries, outputs)`.

    Returns:
        `predictions` `(queries, outputs)`, float32 or float64, and `outputs`, an int32
        scalar, as `ways` of `classified`.
    """
    return {
        "predictions": tf.cast(outputs, wide_dtype(outputs)),
        "outputs": tf.shape(outputs)[-1],
    }
