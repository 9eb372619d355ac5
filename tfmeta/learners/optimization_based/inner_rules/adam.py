"""Adam, as an inner rule."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.optimization_based.inner_rules.rule import Parameters

State = tuple[Parameters, Parameters]


class Adam:
    """Adam, its moments starting from 0 in every task.

    Kingma and Ba (2015), *Adam: A Method for Stochastic Optimization*. Reptile takes
    it without momentum, `beta_1=0`: a momentum would carry the direction of one task
    into its last steps.

    Args:
        learning_rate: The rate.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the root of the second moment.
    """

    def __init__(
        self,
        learning_rate: float,
        *,
        beta_1: float = 0.0,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def init(self, parameters: Parameters) -> State:
        """First and second moments of 0."""
        return ([tf.zeros_like(p) for p in parameters],) * 2

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        state: State,
        *,
        step: int | tf.Tensor,
        loss: tf.Tensor,
    ) -> tuple[Parameters, State]:
        """One step of Adam; see `InnerRule.update`."""
        number = tf.cast(step, parameters[0].dtype) + 1.0
        first_bias = 1.0 - self.beta_1**number
        second_bias = 1.0 - self.beta_2**number
        moved, firsts, seconds = [], [], []
        for p, g, m, v in zip(parameters, gradients, *state, strict=True):
            first = self.beta_1 * m + (1.0 - self.beta_1) * g
            second = self.beta_2 * v + (1.0 - self.beta_2) * tf.square(g)
            root = tf.sqrt(second / second_bias) + self.epsilon
            moved.append(p - self.learning_rate * first / first_bias / root)
            firsts.append(first)
            seconds.append(second)
        return moved, (firsts, seconds)
