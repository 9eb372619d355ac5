"""Distributions over actions: what they draw, how likely it was, how far apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace


class ActionDistribution(Protocol):
    """What is asked of a distribution, for each row of its parameters."""

    def log_prob(self, actions: tf.Tensor) -> tf.Tensor:
        """Logarithm of the probability, or density, of an action."""

    def entropy(self) -> tf.Tensor:
        """In nats."""

    def kl(self, other: Any) -> tf.Tensor:
        """Divergence of another of its kind from this one, in nats."""

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """An action of each row, by an int32 seed `(2,)`."""

    @property
    def parts(self) -> tuple[tf.Tensor, ...]:
        """The tensors that it is made of."""

    def fisher_product(self, tangents: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Fisher information by the parts, times vectors of their shapes."""


class Categorical:
    """One of some actions.

    Args:
        logits: Float `(..., actions)`, of any sum.
    """

    def __init__(self, logits: tf.Tensor) -> None:
        self.logits = logits

    def log_prob(self, actions: tf.Tensor) -> tf.Tensor:
        """Of int `(...)` actions, `(...)`."""
        # By a product: a gather is scattered in the gradient, row by row.
        logs = tf.nn.log_softmax(self.logits)
        chosen = tf.one_hot(actions, self.logits.shape[-1], dtype=logs.dtype)
        return tf.reduce_sum(chosen * logs, axis=-1)

    def entropy(self) -> tf.Tensor:
        """`(...)`, in nats."""
        logs = tf.nn.log_softmax(self.logits)
        return -tf.reduce_sum(tf.exp(logs) * logs, axis=-1)

    def kl(self, other: Categorical) -> tf.Tensor:
        """Divergence of another from this one, KL(this, other), `(...)`, in nats."""
        logs = tf.nn.log_softmax(self.logits)
        theirs = tf.nn.log_softmax(other.logits)
        return tf.reduce_sum(tf.exp(logs) * (logs - theirs), axis=-1)

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Int32 `(...)`, by the largest of the logits with Gumbel noise."""
        dtype = self.logits.dtype
        uniform = tf.random.stateless_uniform(tf.shape(self.logits), seed, dtype=dtype)
        # 0 may be drawn, and has no logarithm.
        least = float(np.finfo(dtype.as_numpy_dtype).tiny)
        uniform = tf.maximum(uniform, tf.constant(least, dtype))
        noise = -tf.math.log(-tf.math.log(uniform))
        return tf.argmax(self.logits + noise, axis=-1, output_type=tf.int32)

    @property
    def parts(self) -> tuple[tf.Tensor, ...]:
        """The logits."""
        return (self.logits,)

    def fisher_product(self, tangents: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Fisher information by the parts, times vectors of their shapes."""
        (tangent,) = tangents
        probabilities = tf.nn.softmax(self.logits)
        mean = tf.reduce_sum(probabilities * tangent, axis=-1, keepdims=True)
        return (probabilities * (tangent - mean),)


class DiagonalGaussian:
    """Real numbers, independent of each other.

    Args:
        means: Float `(..., size)`.
        log_deviations: Float, likewise or broadcast to it: logarithms of standard
            deviations.
    """

    def __init__(self, means: tf.Tensor, log_deviations: tf.Tensor) -> None:
        self.means = means
        self.log_deviations = log_deviations

    def log_prob(self, actions: tf.Tensor) -> tf.Tensor:
        """Of float `(..., size)` actions the logarithm of the density, `(...)`."""
        actions = tf.cast(actions, self.means.dtype)
        scaled = (actions - self.means) * tf.exp(-self.log_deviations)
        each = -0.5 * scaled**2 - self.log_deviations - 0.5 * math.log(2 * math.pi)
        return tf.reduce_sum(each, axis=-1)

    def entropy(self) -> tf.Tensor:
        """`(...)`, in nats."""
        each = self.log_deviations + 0.5 * math.log(2 * math.pi * math.e)
        each += tf.zeros_like(self.means)
        return tf.reduce_sum(each, axis=-1)

    def kl(self, other: DiagonalGaussian) -> tf.Tensor:
        """Divergence of another from this one, KL(this, other), `(...)`, in nats."""
        apart = self.log_deviations - other.log_deviations
        shift = (self.means - other.means) * tf.exp(-other.log_deviations)
        # Not exp(2 x) - 1 - 2 x: of policies that are nearly the same nothing would
        # be left of it in float32.
        each = 0.5 * (tf.math.expm1(2.0 * apart) - 2.0 * apart + shift**2)
        return tf.reduce_sum(each, axis=-1)

    def sample(self, seed: tf.Tensor) -> tf.Tensor:
        """Float `(..., size)`."""
        noise = tf.random.stateless_normal(
            tf.shape(self.means), seed, dtype=self.means.dtype
        )
        return self.means + tf.exp(self.log_deviations) * noise

    @property
    def parts(self) -> tuple[tf.Tensor, ...]:
        """Means and logarithms of standard deviations."""
        return self.means, self.log_deviations

    def fisher_product(self, tangents: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Fisher information by the parts, times vectors of their shapes."""
        of_means, of_logs = tangents
        return of_means * tf.exp(-2.0 * self.log_deviations), 2.0 * of_logs


def distribution_of(
    actions: ActionSpace, parts: Sequence[tf.Tensor]
) -> ActionDistribution:
    """The distribution that some tensors stand for.

    Args:
        actions: What an agent may do.
        parts: Of one of some actions the logits; of real numbers means and logarithms
            of standard deviations.
    """
    return (Categorical if actions.kind == "discrete" else DiagonalGaussian)(*parts)


def distribution_of_outputs(
    actions: ActionSpace, outputs: tf.Tensor
) -> ActionDistribution:
    """The same of one tensor, as `Policy.__call__` gives it.

    Args:
        actions: What an agent may do.
        outputs: Of one of some actions the logits, `(..., size)`; of real numbers means
            and then logarithms of standard deviations, `(..., 2 * size)`.
    """
    if actions.kind == "discrete":
        return Categorical(outputs)
    return DiagonalGaussian(*tf.split(outputs, 2, axis=-1))
