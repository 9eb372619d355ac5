"""Policies: small networks, functions of weights that every task has its own of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import keras
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.distributions import (
    ActionDistribution,
    Categorical,
    DiagonalGaussian,
)
from tfmeta.seeds import spawn_seeds

Activation = Literal["relu", "tanh"]
ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.nn.tanh}
LOG_DEVIATION = "log_deviation"


@dataclasses.dataclass(frozen=True)
class Policy:
    """A perceptron from an observation to a distribution over actions.

    Of real actions the network gives the means; standard deviations are weights of
    their own, the same wherever the agent is (Duan, Chen, Houthooft, Schulman and
    Abbeel 2016, *Benchmarking Deep Reinforcement Learning for Continuous Control*).
    Where actions have bounds, the network's unit is half of what lies between them,
    and its 0 their middle, so that a rate of learning means the same everywhere; what
    it draws is not clipped, the environment does that.

    Attributes:
        observation_size: Numbers that are observed.
        actions: What an agent may do.
        hidden_units: Of the hidden layers; none for a linear policy.
        activation: Of these, `"relu"` or `"tanh"`.
        initial_deviation: Standard deviation at the beginning, in the network's unit.
        least_deviation: Its floor, likewise.
    """

    observation_size: int
    actions: ActionSpace
    hidden_units: tuple[int, ...] = (100, 100)
    activation: Activation = "relu"
    initial_deviation: float = 1.0
    least_deviation: float = 1e-3

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the weights of one task, by name, in their order."""
        sizes = (self.observation_size, *self.hidden_units, self.actions.size)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, pair in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            shapes[f"kernel_{layer}"] = pair
            shapes[f"bias_{layer}"] = pair[1:]
        if self.actions.kind == "continuous":
            shapes[LOG_DEVIATION] = (self.actions.size,)
        return shapes

    @property
    def outputs(self) -> int:
        """Numbers that stand for a distribution."""
        return self.actions.size * (2 if self.actions.kind == "continuous" else 1)

    def initializers(
        self, seed: int | None
    ) -> dict[str, keras.initializers.Initializer]:
        """Of each weight: Glorot's for kernels, 0 for biases.

        Args:
            seed: Seed of the weights, `None` for others at every call.
        """
        seeds = iter(spawn_seeds(seed, len(self.shapes), stream="policy"))
        found: dict[str, keras.initializers.Initializer] = {}
        for name in self.shapes:
            own = next(seeds)
            if name.startswith("kernel"):
                found[name] = keras.initializers.GlorotUniform(own)
            elif name == LOG_DEVIATION:
                found[name] = keras.initializers.Constant(
                    math.log(self.initial_deviation)
                )
            else:
                found[name] = keras.initializers.Zeros()
        return found

    def __call__(
        self, weights: Mapping[str, tf.Tensor], observations: tf.Tensor
    ) -> tf.Tensor:
        """What stands for a distribution, see `distribution_of_outputs`.

        Args:
            weights: By name as `shapes` has them, or with a leading axis of tasks.
            observations: `(..., observation_size)`; with an axis of tasks of the
                weights it is `(tasks, ..., observation_size)`.

        Returns:
            `(..., outputs)`, of the weights' dtype and in the environment's unit.
        """
        first, *others = self.distribution(weights, observations).parts
        parts = [first, *(tf.broadcast_to(part, tf.shape(first)) for part in others)]
        return tf.concat(parts, axis=-1)

    def distribution(
        self, weights: Mapping[str, tf.Tensor], observations: tf.Tensor
    ) -> ActionDistribution:
        """As calling it, as a distribution."""
        kernel = weights["kernel_0"]
        own = kernel.shape.rank == 3
        seen = tf.cast(observations, kernel.dtype)
        leading = tf.shape(seen)[:-1]
        size = self.observation_size
        rows = tf.reshape(seen, [leading[0], -1, size] if own else [-1, size])
        layers = len(self.hidden_units) + 1
        for layer in range(layers):
            bias = weights[f"bias_{layer}"]
            rows = tf.matmul(rows, weights[f"kernel_{layer}"])
            # No slice here and below, whose higher derivatives XLA lacks.
            rows += tf.expand_dims(bias, 1) if own else bias
            if layer + 1 < layers:
                rows = ACTIVATIONS[self.activation](rows)
        outputs = tf.reshape(rows, tf.concat([leading, [self.actions.size]], axis=0))
        outputs = tf.ensure_shape(outputs, [*seen.shape[:-1], self.actions.size])
        if self.actions.kind == "discrete":
            return Categorical(outputs)
        logs = weights[LOG_DEVIATION]
        if own:
            ones = [1] * (seen.shape.rank - 2)
            logs = tf.reshape(logs, [-1, *ones, self.actions.size])
        return self._in_units(outputs, logs)

    def as_list(self, weights: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Weights in the order of `shapes`."""
        return [weights[name] for name in self.shapes]

    def as_dict(self, weights: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """The same by name."""
        return dict(zip(self.shapes, weights, strict=True))

    def _in_units(self, means: tf.Tensor, logs: tf.Tensor) -> DiagonalGaussian:
        """Of the network's unit in that of the environment."""
        least = math.log(self.least_deviation)
        logs = tf.maximum(logs, tf.constant(least, logs.dtype))
        low, high = self.actions.low, self.actions.high
        if low is not None and high is not None:
            half = 0.5 * (high - low)
            means = 0.5 * (low + high) + half * means
            logs += math.log(half)
        return DiagonalGaussian(means, logs)
