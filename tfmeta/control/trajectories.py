"""What agents saw, did and were given."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Trajectories(NamedTuple):
    """Trajectories of several tasks, padded to one length.

    Attributes:
        observations: Float `(tasks, trajectories, steps, observation_size)`, of
            before each step.
        actions: `(tasks, trajectories, steps, *action)`.
        rewards: Float `(tasks, trajectories, steps)`, 0 behind the end.
        mask: Bool `(tasks, trajectories, steps)`: False behind the end.
        log_probabilities: Float `(tasks, trajectories, steps)`, of the actions by the
            policy that chose them.
        terminated: Bool `(tasks, trajectories)`: whether it ended by itself; else the
            value of what would have come counts.
        last_observations: Float `(tasks, trajectories, observation_size)`, after
            the last step.
    """

    observations: tf.Tensor
    actions: tf.Tensor
    rewards: tf.Tensor
    mask: tf.Tensor
    log_probabilities: tf.Tensor
    terminated: tf.Tensor
    last_observations: tf.Tensor
