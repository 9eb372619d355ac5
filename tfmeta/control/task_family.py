"""Environments that differ from task to task, stepped for all tasks at once."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tfmeta.control.action_space import ActionSpace

# What a task is, as plain numbers by name, each `(tasks, ...)`.
TaskParameters: TypeAlias = dict[str, tf.Tensor]
# Where environments are, by name, each `(tasks, trajectories, ...)`.
EnvironmentState: TypeAlias = dict[str, tf.Tensor]


class Step(NamedTuple):
    """What a step of all environments leads to.

    Attributes:
        state: Where they are.
        observations: Float `(tasks, trajectories, observation_size)`.
        rewards: Float `(tasks, trajectories)`.
        terminated: Bool `(tasks, trajectories)`: the task has ended, and nothing is
            to be had from there on.
        truncated: Bool `(tasks, trajectories)`: it was stopped from outside, as by a
            limit of time.
    """

    state: EnvironmentState
    observations: tf.Tensor
    rewards: tf.Tensor
    terminated: tf.Tensor
    truncated: tf.Tensor


class TaskFamily(abc.ABC):
    """Tasks that are environments of one kind, each with numbers of its own.

    All of it is a function of seeds: a task of its number, a trajectory of the seed
    that it is given. `reset` and `step` run inside graphs.

    Attributes:
        name: What it is called.
        observation_size: Numbers that are observed.
        actions: What an agent may do.
        horizon: Steps of a trajectory, at most.
    """

    name: str
    observation_size: int
    actions: ActionSpace
    horizon: int

    @abc.abstractmethod
    def tasks(self, numbers: tf.Tensor) -> TaskParameters:
        """Tasks by their numbers.

        Args:
            numbers: Int64 `(tasks,)`, not negative; the seed of the family is folded
                in.

        Returns:
            Plain numbers by name, `(tasks, ...)`.
        """

    @abc.abstractmethod
    def reset(
        self, tasks: TaskParameters, trajectories: int, seed: tf.Tensor
    ) -> tuple[EnvironmentState, tf.Tensor]:
        """Environments at their beginning.

        Args:
            tasks: As of `tasks`.
            trajectories: Of each task.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.

        Returns:
            Where they are, and float observations
            `(tasks, trajectories, observation_size)`.
        """

    @abc.abstractmethod
    def step(
        self,
        tasks: TaskParameters,
        state: EnvironmentState,
        actions: tf.Tensor,
        seed: tf.Tensor,
    ) -> Step:
        """One step of all environments; those that have ended may do what they like.

        Args:
            tasks: As of `tasks`.
            state: Where they are.
            actions: `(tasks, trajectories, *actions.shape)` of `actions.dtype`.
            seed: As of `reset`, another at every step.
        """

    @abc.abstractmethod
    def context(self, tasks: TaskParameters) -> tf.Tensor:
        """What an oracle sees: float32 `(tasks, context)`, of the order of 1."""

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain values."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TaskFamily:
        """The family of a `get_config`."""
        return cls(**config)
