"""A point that is to find a goal which it does not see."""

from __future__ import annotations

from typing import Any, Literal

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

_STREAM = 0x6E61
REWARDS = ("distance", "squared_distance")


@keras.saving.register_keras_serializable(package="tfmeta")
class Navigation(TaskFamily):
    """2-D navigation: a point robot at 0, goals uniform in a square around it.

    Finn, Abbeel and Levine (2017), *Model-Agnostic Meta-Learning for Fast Adaptation
    of Deep Networks*, section 5.3. It observes where it is, `(2,)`; an action is a
    velocity, of which each coordinate is clipped to 0.1; a trajectory ends within 0.01
    of the goal, and is cut off after the horizon. What it is given is the negative
    distance to the goal, as in the authors' code, of which their curves are; their text
    says the negative squared distance, which is `reward="squared_distance"`.

    Args:
        horizon: Steps of a trajectory, at most.
        reward: `"distance"` or `"squared_distance"`, both negative, after the step.
        goal_range: Half the width of the square.
        seed: Seed of the goals.

    Raises:
        ValueError: When an argument is out of range; names it.
    """

    name = "navigation"
    observation_size = 2
    actions = ActionSpace("continuous", 2, low=-0.1, high=0.1)
    goal_radius = 0.01

    def __init__(
        self,
        *,
        horizon: int = 100,
        reward: Literal["distance", "squared_distance"] = "distance",
        goal_range: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.horizon = check_count("horizon", horizon, 1)
        if reward not in REWARDS:
            raise ValueError(
                f"`reward` must be one of {', '.join(REWARDS)}. Received: "
                f"reward={reward!r}"
            )
        self.reward = reward
        if not 0 < goal_range < float("inf"):
            raise ValueError(
                "`goal_range` must be above 0 and finite. Received: "
                f"goal_range={goal_range!r}"
            )
        self.goal_range = float(goal_range)
        self.seed = check_seed(seed)

    def tasks(self, numbers: tf.Tensor) -> TaskParameters:
        """Goals, `(tasks, 2)`; see `TaskFamily.tasks`."""
        seeds = task_seeds(self.seed, _STREAM, numbers)
        return {"goal": self.goal_range * (2.0 * task_uniform(seeds, 2) - 1.0)}

    def reset(
        self, tasks: TaskParameters, trajectories: int, seed: tf.Tensor
    ) -> tuple[EnvironmentState, tf.Tensor]:
        """All at 0; see `TaskFamily.reset`."""
        position = tf.zeros([tf.shape(tasks["goal"])[0], trajectories, 2])
        steps = tf.zeros(tf.shape(position)[:2], tf.int32)
        return {"position": position, "steps": steps}, position

    def step(
        self,
        tasks: TaskParameters,
        state: EnvironmentState,
        actions: tf.Tensor,
        seed: tf.Tensor,
    ) -> Step:
        """Moves by the clipped actions; see `TaskFamily.step`."""
        low, high = self.actions.low, self.actions.high
        position = state["position"] + tf.clip_by_value(actions, low, high)
        squares = tf.reduce_sum((position - tasks["goal"][:, None]) ** 2, axis=-1)
        steps = state["steps"] + 1
        return Step(
            state={"position": position, "steps": steps},
            observations=position,
            rewards=-(tf.sqrt(squares) if self.reward == "distance" else squares),
            terminated=squares < self.goal_radius**2,
            truncated=steps >= self.horizon,
        )

    def context(self, tasks: TaskParameters) -> tf.Tensor:
        """The goals, in units of half the square."""
        return tasks["goal"] / self.goal_range

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "horizon": self.horizon,
            "reward": self.reward,
            "goal_range": self.goal_range,
            "seed": self.seed,
        }
