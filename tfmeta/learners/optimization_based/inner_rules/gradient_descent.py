"""Plain gradient descent."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.optimization_based.inner_rules.rule import Parameters


class GradientDescent:
    """`parameters - learning_rate * gradients`, one rate for all.

    Args:
        learning_rate: The rate.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        state: tuple,
        *,
        step: int | tf.Tensor,
        loss: tf.Tensor,
    ) -> tuple[Parameters, tuple]:
        """One step of gradient descent; see `InnerRule.update`."""
        moved = [
            p - self.learning_rate * g
            for p, g in zip(parameters, gradients, strict=True)
        ]
        return moved, state
