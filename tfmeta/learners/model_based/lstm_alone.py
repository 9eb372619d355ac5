"""A recurrent network without a memory beside it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.seeds import spawn_seeds


@keras.saving.register_keras_serializable(package="tfmeta")
class LSTMAlone(keras.layers.Layer):
    """An LSTM that is called as a `LeastUsedMemory` is, with which it is compared.

    Args:
        units: Length of its hidden vector.
        seed: Seed of the weights; `None` for others at every call.
    """

    def __init__(self, units: int = 200, *, seed: int | None = None, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.units = self.output_size = units
        self.seed = seed
        first, second = spawn_seeds(seed, 2, stream="lstm_alone")
        self.lstm = keras.layers.LSTM(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(first),
            recurrent_initializer=keras.initializers.Orthogonal(seed=second),
            return_sequences=True,
            return_state=True,
            dtype=self.dtype_policy,
            name="lstm",
        )

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Makes the weights.

        Args:
            input_shape: `(tasks, steps, features)`.
        """
        self.lstm.build(input_shape)
        self.built = True

    def first_state(self, tasks: tf.Tensor) -> State:
        """Zeros, `hidden` and `cell` `(tasks, units)`."""
        nothing = tf.zeros([tasks, self.units], self.variable_dtype)
        return {"hidden": nothing, "cell": nothing}

    def call(
        self,
        inputs: tf.Tensor,
        state: State,
        real: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads a sequence; see `LeastUsedMemory.call`."""
        tasks, steps = tf.shape(real)[0], tf.shape(real)[1]
        before = [never_empty(state[name], axes=1) for name in ("hidden", "cell")]
        outputs, hidden, cell = self.lstm(
            never_empty(inputs),
            mask=never_empty(real),
            initial_state=before,
            training=training,
        )
        after = {"hidden": hidden[:tasks], "cell": cell[:tasks]}
        return outputs[:tasks, :steps], after

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units, "seed": self.seed}


def never_empty(rows: tf.Tensor, *, axes: int = 2) -> tf.Tensor:
    """Rows with a zero where the first axes have none.

    Keras' recurrent layers take no empty batch and no empty sequence.

    Args:
        rows: Any dtype and shape.
        axes: How many of the first axes.
    """
    if all(rows.shape[:axes]):
        return rows
    missing = tf.maximum(1 - tf.shape(rows)[:axes], 0)
    missing = tf.pad(missing, [[0, rows.shape.rank - axes]])
    return tf.pad(rows, tf.stack([tf.zeros_like(missing), missing], axis=1))
