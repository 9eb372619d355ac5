"""An LSTM as inner rule."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmeta.learners.inner_rules.rule import Parameters, Replaced
from tfmeta.seeds import spawn_seeds

# e ** -10 is the smallest number that is taken by its logarithm.
_SCALE = 10.0


class LSTMState(NamedTuple):
    """State of the rule, one row for each number that is adapted.

    Attributes:
        hidden: `(numbers, units)` of the LSTM.
        cell: `(numbers, units)` of the LSTM.
        forget: `(numbers, 1)`: the last forget gate, before the sigmoid.
        input: `(numbers, 1)`: the last input gate, before the sigmoid.
    """

    hidden: tf.Tensor
    cell: tf.Tensor
    forget: tf.Tensor
    input: tf.Tensor


class LSTMRule(keras.layers.Layer):
    """`forget * parameters - input * gradients`, with gates from an LSTM.

    Ravi and Larochelle (2017), *Optimization as a Model for Few-Shot Learning*. The
    parameters are the cell state of an LSTM, whose start is learned. Every number
    that is adapted is a sequence of its own, and all share the weights: an LSTM reads
    logarithm and sign of gradient and loss, and the gates see its output, the
    parameter, and themselves a step before.

    Args:
        units: Width of the LSTM that reads gradients and losses.
        seed: Seed of the weights, `None` for others at every call.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(
        self, units: int = 20, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        seeds = iter(spawn_seeds(seed, 7, stream="lstm"))

        def weight(name: str, shape: tuple[int, ...], low: float, high: float) -> Any:
            return self.add_weight(
                shape=shape,
                initializer=keras.initializers.RandomUniform(
                    low, high, seed=next(seeds)
                ),
                name=name,
            )

        self.kernel = weight("kernel", (4 + units, 4 * units), -0.01, 0.01)
        self.bias = weight("bias", (4 * units,), -0.01, 0.01)
        gate = (units + 2, 1)
        self.forget_kernel = weight("forget_kernel", gate, -0.01, 0.01)
        self.input_kernel = weight("input_kernel", gate, -0.01, 0.01)
        # Training starts as gradient descent with a small rate: little is forgotten,
        # and little is let in.
        self.forget_bias = weight("forget_bias", (1,), 4.0, 5.0)
        self.input_bias = weight("input_bias", (1,), -5.0, -4.0)
        self.built = True

    def init(self, parameters: Parameters) -> LSTMState:
        """Zeros for every number that is adapted."""
        numbers = tf.add_n([tf.size(p) for p in parameters])
        dtype = parameters[0].dtype
        wide, narrow = (tf.zeros([numbers, n], dtype) for n in (self.units, 1))
        return LSTMState(wide, wide, narrow, narrow)

    def update(
        self,
        gradients: Parameters,
        state: LSTMState,
        parameters: Parameters,
        *,
        loss: tf.Tensor,
    ) -> tuple[list[Replaced], LSTMState]:
        """One step; see `InnerRule.update`. Loss and gradients count as constants."""
        flat = _column(parameters)
        gradient = tf.stop_gradient(_column(gradients))
        loss = tf.stop_gradient(tf.cast(loss, flat.dtype))
        read = tf.concat(
            [
                tf.broadcast_to(log_and_sign(loss[None, None]), [tf.shape(flat)[0], 2]),
                log_and_sign(gradient),
                state.hidden,
            ],
            axis=1,
        )
        kernel, bias = (tf.cast(w, flat.dtype) for w in (self.kernel, self.bias))
        gates = tf.matmul(read, kernel) + bias
        take, keep, new, show = tf.split(gates, 4, axis=1)
        cell = tf.sigmoid(keep) * state.cell + tf.sigmoid(take) * tf.tanh(new)
        hidden = tf.sigmoid(show) * tf.tanh(cell)

        def gate(kernel: Any, bias: Any, before: tf.Tensor) -> tf.Tensor:
            # The parameter is what it is here, not a way for gradients (as in the
            # authors' code, whose inputs to the cell are constants).
            seen = tf.concat([hidden, tf.stop_gradient(flat), before], axis=1)
            return tf.matmul(seen, tf.cast(kernel, flat.dtype)) + tf.cast(
                bias, flat.dtype
            )

        forget = gate(self.forget_kernel, self.forget_bias, state.forget)
        take_in = gate(self.input_kernel, self.input_bias, state.input)
        moved = tf.sigmoid(forget) * flat - tf.sigmoid(take_in) * gradient
        updates = [Replaced(value) for value in _like(moved, parameters)]
        return updates, LSTMState(hidden, cell, forget, take_in)


def log_and_sign(x: tf.Tensor) -> tf.Tensor:
    """Numbers of any size as two of moderate size each.

    `(log|x| / 10, sign x)` where `|x| > e**-10`, else `(-1, e**10 x)` (Andrychowicz et
    al., 2016, *Learning to Learn by Gradient Descent by Gradient Descent*).

    Args:
        x: `(numbers, 1)`.

    Returns:
        `(numbers, 2)`.
    """
    size = tf.abs(x)
    is_large = size > tf.exp(tf.constant(-_SCALE, x.dtype))
    logarithm = tf.math.log(tf.where(is_large, size, tf.ones_like(size))) / _SCALE
    first = tf.where(is_large, logarithm, -tf.ones_like(x))
    second = tf.where(is_large, tf.sign(x), x * tf.exp(tf.constant(_SCALE, x.dtype)))
    return tf.concat([first, second], axis=1)


def _column(parts: Parameters) -> tf.Tensor:
    return tf.concat([tf.reshape(part, [-1, 1]) for part in parts], axis=0)


def _like(column: tf.Tensor, parts: Parameters) -> Parameters:
    sizes = tf.stack([tf.size(part) for part in parts])
    split = tf.split(column, sizes, axis=0, num=len(parts))
    return [
        tf.ensure_shape(tf.reshape(values, tf.shape(part)), part.shape)
        for values, part in zip(split, parts, strict=True)
    ]
