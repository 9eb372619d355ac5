"""Gradient descent with rates that the outer loop learns."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmeta.learners.inner_rules.rule import Parameters


class PerParameterRates(keras.layers.Layer):
    """A rate for every single number that is adapted, as in Meta-SGD.

    Args:
        shapes: Shapes of the parameters; a size that may vary is 1, one rate for all
            along it.
        learning_rate: Where the rates start.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(
        self, shapes: Sequence[tuple[int, ...]], learning_rate: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.rates = [
            self.add_weight(
                shape=shape,
                initializer=keras.initializers.Constant(learning_rate),
                name=f"rates_{number}",
            )
            for number, shape in enumerate(shapes)
        ]
        self.built = True

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self, gradients: Parameters, state: tuple, parameters: Parameters
    ) -> tuple[Parameters, tuple]:
        """One step with each number's own rate; see `InnerRule.update`."""
        updates = [
            -(tf.cast(rate, g.dtype) * g)
            for g, rate in zip(gradients, self.rates, strict=True)
        ]
        return updates, state


class PerStepRates(keras.layers.Layer):
    """A rate for every tensor at every step, as in MAML++.

    Steps beyond those that have rates use the last ones.

    Args:
        count: Number of tensors that are adapted.
        steps: Number of steps with rates of their own.
        learning_rate: Where the rates start.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(
        self, count: int, steps: int, learning_rate: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.steps = steps
        self.rates = self.add_weight(
            shape=(steps, count),
            initializer=keras.initializers.Constant(learning_rate),
            name="rates",
        )
        self.built = True

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self,
        gradients: Parameters,
        state: tuple,
        parameters: Parameters,
        *,
        step: int | tf.Tensor,
    ) -> tuple[Parameters, tuple]:
        """One step with its own rates; see `InnerRule.update`."""
        rates = tf.gather(
            tf.convert_to_tensor(self.rates), tf.minimum(step, self.steps - 1)
        )
        updates = [
            -(tf.cast(rate, g.dtype) * g)
            for g, rate in zip(gradients, tf.unstack(rates), strict=True)
        ]
        return updates, state
