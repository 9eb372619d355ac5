"""Bandits with several arms, of which nothing is known beforehand."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.task_family import (
    EnvironmentState,
    Step,
    TaskFamily,
    TaskParameters,
)
from tfmeta.control.task_seeds import task_seeds, task_uniform
from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.streams import check_seed

_STREAM = 0x6261


@keras.saving.register_keras_serializable(package="tfmeta")
class Bandits(TaskFamily):
    """Bernoulli bandits: arms that give 1 with probabilities uniform in [0, 1].

    Duan, Schulman, Chen, Bartlett, Sutskever and Abbeel (2016), *RL²: Fast
    Reinforcement Learning via Slow Reinforcement Learning*, section 3.1. There is
    nothing to see, so the observation is always 1; a learner with a memory joins to it
    what it did and was given. The last pull ends a trajectory: no value lies behind it.

    Args:
        arms: Number of arms.
        horizon: Number of pulls.
        seed: Seed of the probabilities.

    Raises:
        ValueError: When an argument is out of range; names it.
    """

    name = "bandits"
    observation_size = 1

    def __init__(self, *, arms: int = 5, horizon: int = 10, seed: int = 0) -> None:
        self.arms = check_count("arms", arms, 2)
        self.horizon = check_count("horizon", horizon, 1)
        self.seed = check_seed(seed)
        self.actions = ActionSpace("discrete", self.arms)

    def tasks(self, numbers: tf.Tensor) -> TaskParameters:
        """Probabilities of success, `(tasks, arms)`; see `TaskFamily.tasks`."""
        seeds = task_seeds(self.seed, _STREAM, numbers)
        return {"probability": task_uniform(seeds, self.arms)}

    def reset(
        self, tasks: TaskParameters, trajectories: int, seed: tf.Tensor
    ) -> tuple[EnvironmentState, tf.Tensor]:
        """No arm has been pulled; see `TaskFamily.reset`."""
        pulls = tf.zeros([tf.shape(tasks["probability"])[0], trajectories], tf.int32)
        return {"pulls": pulls}, _nothing_to_see(pulls)

    def step(
        self,
        tasks: TaskParameters,
        state: EnvironmentState,
        actions: tf.Tensor,
        seed: tf.Tensor,
    ) -> Step:
        """Pulls an arm of each; see `TaskFamily.step`."""
        chosen = tf.gather(tasks["probability"], actions, batch_dims=1)
        drawn = tf.random.stateless_uniform(tf.shape(chosen), seed)
        pulls = state["pulls"] + 1
        return Step(
            state={"pulls": pulls},
            observations=_nothing_to_see(pulls),
            rewards=tf.cast(drawn < chosen, tf.float32),
            terminated=pulls >= self.horizon,
            truncated=tf.zeros_like(pulls, tf.bool),
        )

    def context(self, tasks: TaskParameters) -> tf.Tensor:
        """The probabilities of success."""
        return tasks["probability"]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"arms": self.arms, "horizon": self.horizon, "seed": self.seed}


def _nothing_to_see(pulls: tf.Tensor) -> tf.Tensor:
    return tf.ones_like(pulls, tf.float32)[..., tf.newaxis]
