"""One update of every task's policy, by the policy gradient on its trajectories."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import tensorflow as tf

from tfmeta.control.advantages import (
    discounted_returns,
    generalized_advantages,
    masked_mean,
    normalized,
    spread,
)
from tfmeta.control.linear_baseline import linear_values
from tfmeta.control.policies import Policy
from tfmeta.control.trajectories import Trajectories
from tfmeta.learners.inner_loop import gradients_of, run_inner_loop
from tfmeta.learners.inner_rules import InnerRule, Parameters

Baseline = Literal["linear", "none"]
BASELINES = ("linear", "none")


class Judged(NamedTuple):
    """Trajectories, and how good what was done in them was.

    Attributes:
        trajectories: What was seen, done and given.
        advantages: `(tasks, trajectories, steps)`, 0 behind the end.
        scale: `(tasks,)`: what an advantage of 1 is in rewards.
    """

    trajectories: Trajectories
    advantages: tf.Tensor
    scale: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Judgement:
    """How advantages are found.

    Attributes:
        gamma: Discount.
        gae_lambda: Of generalised advantage estimation.
        baseline: `"linear"`, fitted to the same trajectories, or `"none"`.
        normalize: Whether advantages are of mean 0 and deviation 1 in each task.
    """

    gamma: float = 0.99
    gae_lambda: float = 1.0
    baseline: Baseline = "linear"
    normalize: bool = True

    def __call__(self, trajectories: Trajectories) -> Judged:
        """Trajectories with their advantages, which are constants to gradients."""
        rewards = trajectories.rewards
        if self.baseline == "linear":
            values, last = linear_values(trajectories, gamma=self.gamma)
        else:
            values, last = tf.zeros_like(rewards), tf.zeros_like(rewards[..., 0])
        advantages = generalized_advantages(
            trajectories, values, last, gamma=self.gamma, gae_lambda=self.gae_lambda
        )
        scale = tf.ones_like(advantages[:, 0, 0])
        if self.normalize:
            scale = spread(advantages, trajectories.mask)
            advantages = normalized(advantages, trajectories.mask)
        return Judged(
            trajectories, tf.stop_gradient(advantages), tf.stop_gradient(scale)
        )

    def returns_of_tasks(self, trajectories: Trajectories) -> tf.Tensor:
        """The mean discounted return of each task, `(tasks,)`."""
        from_start = discounted_returns(trajectories, self.gamma)[..., 0]
        return tf.reduce_mean(from_start, axis=1)


def log_probabilities(
    policy: Policy, weights: Parameters, trajectories: Trajectories
) -> tf.Tensor:
    """Of what was done, by policies of such weights.

    Args:
        policy: Its form.
        weights: In the order of `policy.shapes`, each with an axis of tasks.
        trajectories: What was done.

    Returns:
        `(tasks, trajectories, steps)`.
    """
    here = policy.distribution(policy.as_dict(weights), trajectories.observations)
    return here.log_prob(trajectories.actions)


def updated(
    policy: Policy,
    rule: InnerRule,
    weights: Parameters,
    judged: Judged,
    *,
    first_order: bool = False,
) -> Parameters:
    """Weights after one step against the surrogate of the policy gradient.

    Williams (1992), *Simple Statistical Gradient-Following Algorithms for Connectionist
    Reinforcement Learning*: the loss of a task is minus the mean, over its real steps,
    of the log probability of what was done times its advantage, whose gradient is
    minus that of the expected return.

    Args:
        policy: Its form.
        rule: What makes of gradients a step.
        weights: Each with an axis of tasks.
        judged: Trajectories that policies of these weights drew.
        first_order: Whether the gradient is a constant to the outer loop.
    """

    def loss(parameters: Parameters, step: int | tf.Tensor) -> tf.Tensor:
        logs = log_probabilities(policy, parameters, judged.trajectories)
        advantages = tf.cast(judged.advantages, logs.dtype)
        # The sum over tasks, whose weights are their own.
        return -tf.reduce_sum(masked_mean(logs * advantages, judged.trajectories.mask))

    moved, _ = run_inner_loop(
        gradients_of(loss, first_order=first_order), rule, weights, steps=1
    )
    return moved
