"""Random layers of an encoder draw for every task of a batch what is its own."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmeta.learners.optimization_based.task_network import Moving

# What `keras.random.SeedGenerator` calls its state, a seed and a counter.
_STATE = "seed_generator_state"


def shift_seeds(
    moving: Moving,
    variables: Sequence[keras.Variable],
    seed: tf.Tensor,
    *,
    back: bool = False,
) -> Moving:
    """Adds a task's seed to the seeds of the encoder's random layers.

    All tasks of a batch start from the same non-trainable values; dropout would leave
    out the same units in all of them.

    Args:
        moving: The encoder's non-trainable values, for every step that has its own.
        variables: The variables that these are the values of.
        seed: Int32 `(2,)`, of the task.
        back: Whether to take it away again, for what the batch leaves behind.
    """

    def shift(value: tf.Tensor, variable: keras.Variable) -> tf.Tensor:
        if variable.name != _STATE:
            return value
        value = tf.convert_to_tensor(value)
        shift = tf.stack([seed[0], 0])
        # Both are 32 bits wide and wrap around.
        whole = tf.bitcast(value, tf.int32)
        whole = whole - shift if back else whole + shift
        return tf.bitcast(whole, value.dtype)

    return [
        [shift(value, v) for value, v in zip(values, variables, strict=True)]
        for values in moving
    ]
