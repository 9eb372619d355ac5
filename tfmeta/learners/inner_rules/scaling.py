"""Rules without weights or state that make gradients longer or shorter."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.inner_rules.rule import Parameters
from tfmeta.squares import root


class Scale:
    """Multiplies by a number: `Scale(-learning_rate)` is gradient descent.

    Args:
        factor: The number.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self, gradients: Parameters, state: tuple, parameters: Parameters
    ) -> tuple[Parameters, tuple]:
        """The multiples; see `InnerRule.update`."""
        return [self.factor * g for g in gradients], state


class ClipByNorm:
    """Shortens all gradients together where they are longer than a norm.

    Pascanu, Mikolov and Bengio (2013), *On the Difficulty of Training Recurrent
    Neural Networks*. What is not finite stays so.

    Args:
        norm: The largest Euclidean norm of all gradients taken together.
    """

    def __init__(self, norm: float) -> None:
        self.norm = norm

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self, gradients: Parameters, state: tuple, parameters: Parameters
    ) -> tuple[Parameters, tuple]:
        """The gradients, of at most that norm; see `InnerRule.update`."""
        found = root(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients]))
        longer = tf.where(found <= self.norm, tf.ones_like(found), found / self.norm)
        return [g / longer for g in gradients], state


class DecayWeights:
    """Adds a multiple of the parameters: the gradient of a penalty on their squares.

    Args:
        rate: The multiple.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def init(self, parameters: Parameters) -> tuple:
        """No state."""
        return ()

    def update(
        self, gradients: Parameters, state: tuple, parameters: Parameters
    ) -> tuple[Parameters, tuple]:
        """Gradients with the penalty's; see `InnerRule.update`."""
        return [
            g + self.rate * p for g, p in zip(gradients, parameters, strict=True)
        ], state
