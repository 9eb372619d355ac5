"""Momentum."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.inner_rules.rule import Parameters

# The means, and whether they hold a gradient yet, a scalar bool.
State = tuple[Parameters, tf.Tensor]


class RunningMean:
    """The running mean of the gradients, in which later ones count more.

    `mean = kept * mean + (1 - kept) * gradient`, beginning with the first gradient
    itself: PyTorch's SGD with a momentum and a dampening of `kept`.

    Args:
        kept: What stays of the mean in each step, in [0, 1).
    """

    def __init__(self, kept: float) -> None:
        self.kept = kept

    def init(self, parameters: Parameters) -> State:
        """No mean yet."""
        return [tf.zeros_like(p) for p in parameters], tf.constant(False)

    def update(
        self, gradients: Parameters, state: State, parameters: Parameters
    ) -> tuple[Parameters, State]:
        """The means; see `InnerRule.update`."""
        means, begun = state
        # The mean of a gradient and itself: the first step takes it whole.
        means = [
            self.kept * tf.where(begun, mean, g) + (1.0 - self.kept) * g
            for mean, g in zip(means, gradients, strict=True)
        ]
        return means, (means, tf.ones_like(begun))
