"""Adam, as an inner rule."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmeta.learners.inner_rules.rule import Parameters

# First and second moments, and the number of steps that they hold.
State = tuple[Parameters, Parameters, tf.Tensor]


class Adam:
    """Adam, its moments starting from 0 in every task.

    Kingma and Ba (2015), *Adam: A Method for Stochastic Optimization*.

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
        """First and second moments of 0, of no step."""
        zeros = [tf.zeros_like(p) for p in parameters]
        return zeros, zeros, tf.zeros([], parameters[0].dtype)

    def update(
        self, gradients: Parameters, state: State, parameters: Parameters
    ) -> tuple[Parameters, State]:
        """One step of Adam; see `InnerRule.update`."""
        *moments, count = state
        count += 1.0
        first_bias = 1.0 - self.beta_1**count
        second_bias = 1.0 - self.beta_2**count
        updates, firsts, seconds = [], [], []
        for g, m, v in zip(gradients, *moments, strict=True):
            first = self.beta_1 * m + (1.0 - self.beta_1) * g
            second = self.beta_2 * v + (1.0 - self.beta_2) * tf.square(g)
            root = tf.sqrt(second / second_bias) + self.epsilon
            updates.append(-self.learning_rate * first / first_bias / root)
            firsts.append(first)
            seconds.append(second)
        return updates, (firsts, seconds, count)


class CarriedAdam(keras.layers.Layer):
    """Adam without momentum, whose second moments are carried from task to task.

    So it is in the code of Nichol, Achiam and Schulman (2018) for *On First-Order
    Meta-Learning Algorithms*, where tasks share one optimizer. Moments that start from
    0 would make of the first step of every task one of the whole rate, in each number
    alike, however small and noisy its gradient. A momentum, on the other hand, would
    carry the direction of one task into the next.

    Args:
        shapes: Shapes of the parameters.
        learning_rate: The rate.
        beta_2: Decay of the second moment.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        learning_rate: float,
        *,
        beta_2: float = 0.999,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self._adam = Adam(learning_rate, beta_1=0.0, beta_2=beta_2)
        self.second_moments = [
            self.add_weight(
                shape=shape,
                initializer="zeros",
                trainable=False,
                name=f"second_moment_{number}",
            )
            for number, shape in enumerate(shapes)
        ]
        self.count = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="count"
        )
        self.built = True

    def init(self, parameters: Parameters) -> State:
        """What earlier tasks left, as parameters are wide."""
        firsts, _, none = self._adam.init(parameters)
        seconds = [
            tf.cast(moment.value, p.dtype)
            for moment, p in zip(self.second_moments, parameters, strict=True)
        ]
        return firsts, seconds, none + tf.cast(self.count.value, none.dtype)

    def update(
        self, gradients: Parameters, state: State, parameters: Parameters
    ) -> tuple[Parameters, State]:
        """One step of Adam; see `InnerRule.update`."""
        return self._adam.update(gradients, state, parameters)

    def carried_variables(self) -> list[keras.Variable]:
        """What the next tasks start from."""
        return [*self.second_moments, self.count]

    def carried_values(self, state: State) -> list[tf.Tensor]:
        """The same, of the state after a task."""
        _, seconds, count = state
        values = [*seconds, count]
        return [
            tf.cast(value, variable.dtype)
            for value, variable in zip(values, self.carried_variables(), strict=True)
        ]
