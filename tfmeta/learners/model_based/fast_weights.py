"""Fast weights that are generated from gradients, coordinate by coordinate."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import finite_or_nan, nan_unless
from tfmeta.learners.model_based.lstm_alone import never_empty
from tfmeta.seeds import spawn_seeds

# How far apart the magnitudes of gradients are that are told apart: e to the power of
# this many.
_RANGE = 7.0
_TINY = 1e-20


def gradient_features(gradients: tf.Tensor) -> tf.Tensor:
    """What a gradient looks like to a network: its magnitude and its sign.

    `max(log|g| / 7, -1)` and `clip(g e^7, -1, 1)`: gradients of all magnitudes become
    numbers of about one, and no derivative is taken of them. What is not finite is NaN.

    Args:
        gradients: Any shape.

    Returns:
        The same shape and two more numbers, `(..., 2)`.

    Reference:
        Tsendsuren Munkhdalai and Hong Yu, 2017, Meta Networks; after Andrychowicz et
        al., 2016, Learning to learn by gradient descent by gradient descent.
    """
    gradients = finite_or_nan(tf.stop_gradient(gradients))
    magnitude = tf.math.log(tf.abs(gradients) + _TINY) / _RANGE
    sign = tf.clip_by_value(gradients * math.exp(_RANGE), -1.0, 1.0)
    found = tf.stack([tf.maximum(magnitude, -1.0), sign], axis=-1)
    # A maximum, and a clip, may take NaN for their bound.
    return nan_unless(tf.math.is_finite(gradients), found)


@keras.saving.register_keras_serializable(package="tfmeta")
class FastWeights(keras.layers.Layer):
    """Makes a fast weight of the gradient of a weight, for all weights alike.

    Either one set of weights for every example, by a network of three layers (`m` of
    the paper), or one for all examples of a task, by an LSTM that reads their gradients
    one after the other (`d`).

    Args:
        over_examples: Whether an LSTM reads the gradients of all examples.
        units: Of the hidden layers, or of the LSTM.
        seed: Seed of the weights; `None` for others at every call.

    Reference:
        Tsendsuren Munkhdalai and Hong Yu, 2017, Meta Networks.
    """

    def __init__(
        self,
        *,
        over_examples: bool = False,
        units: int = 20,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.over_examples, self.units, self.seed = over_examples, units, seed
        seeds = iter(spawn_seeds(seed, 4, stream="fast_weights"))

        def dense(size: int, inputs: int, **options: Any) -> keras.layers.Dense:
            layer = keras.layers.Dense(
                size,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                dtype=self.dtype_policy,
                **options,
            )
            layer.build((None, inputs))
            return layer

        self.hidden = []
        self.reader = None
        if over_examples:
            cell = keras.layers.LSTMCell(
                units,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
                dtype=self.dtype_policy,
            )
            self.reader = keras.layers.RNN(cell, dtype=self.dtype_policy, name="reader")
            self.reader.build((None, None, 2))
        else:
            self.hidden = [
                dense(units, 2, activation="relu", name="hidden_1"),
                dense(units, units, activation="relu", name="hidden_2"),
            ]
        self.weight = dense(1, units, name="weight")
        self.built = True

    def call(
        self, gradients: tf.Tensor, real: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Fast weights.

        Args:
            gradients: `(tasks, examples, size)`.
            real: `(tasks, examples)` bool, the real rows of each task first.
            training: Without effect.

        Returns:
            `(tasks, examples, size)`; over examples, `(tasks, size)`.
        """
        features = gradient_features(gradients)
        if self.reader is None:
            for layer in self.hidden:
                features = layer(features)
            sound = tf.math.is_finite(gradients)  # Rectifiers may swallow NaN.
            return nan_unless(sound, self.weight(features)[..., 0])
        shape = tf.shape(gradients)
        # A coordinate is a sequence of its own, as long as its task.
        sequences = tf.reshape(tf.transpose(features, [0, 2, 1, 3]), [-1, shape[1], 2])
        mask = tf.repeat(real, shape[2], axis=0)
        last = self.reader(
            never_empty(sequences), mask=never_empty(mask), training=training
        )
        last = last[: shape[0] * shape[2]]
        return tf.reshape(self.weight(last), [shape[0], shape[2]])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "over_examples": self.over_examples,
            "units": self.units,
            "seed": self.seed,
        }
