"""What meta-learning is to be better than, and what it cannot reach."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.policy_maml import PolicyMAML
from tfmeta.control.task_family import (
    EnvironmentState,
    Step,
    TaskFamily,
    TaskParameters,
)


@keras.saving.register_keras_serializable(package="tfmeta")
class OracleFamily(TaskFamily):
    """The same tasks, where an agent sees which one it is in.

    Observations are joined by `family.context`.

    Args:
        family: The tasks.
    """

    def __init__(self, family: TaskFamily) -> None:
        self.family = family
        self.name = f"{family.name}_oracle"
        context = family.context(family.tasks(tf.zeros([1], tf.int64)))
        self.observation_size = family.observation_size + context.shape[-1]
        self.actions = family.actions
        self.horizon = family.horizon

    def tasks(self, numbers: tf.Tensor) -> TaskParameters:
        """Those of the family."""
        return self.family.tasks(numbers)

    def reset(
        self, tasks: TaskParameters, trajectories: int, seed: tf.Tensor
    ) -> tuple[EnvironmentState, tf.Tensor]:
        """As the family's; see `TaskFamily.reset`."""
        state, seen = self.family.reset(tasks, trajectories, seed)
        return state, self._joined(tasks, seen)

    def step(
        self,
        tasks: TaskParameters,
        state: EnvironmentState,
        actions: tf.Tensor,
        seed: tf.Tensor,
    ) -> Step:
        """As the family's; see `TaskFamily.step`."""
        step = self.family.step(tasks, state, actions, seed)
        return step._replace(observations=self._joined(tasks, step.observations))

    def context(self, tasks: TaskParameters) -> tf.Tensor:
        """That of the family."""
        return self.family.context(tasks)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"family": keras.saving.serialize_keras_object(self.family)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OracleFamily:
        """The family of a `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["family"]))

    def _joined(self, tasks: TaskParameters, seen: tf.Tensor) -> tf.Tensor:
        context = tf.cast(self.family.context(tasks), seen.dtype)[:, None]
        shape = tf.concat([tf.shape(seen)[:-1], [context.shape[-1]]], axis=0)
        return tf.concat([seen, tf.broadcast_to(context, shape)], axis=-1)


def pretrained_policy(family: TaskFamily, **arguments: Any) -> PolicyMAML:
    """One policy that is trained on all tasks by TRPO, without updates between.

    Its `adapt` is the same update as ever, which is its fine-tuning. As it comes,
    before any call of `fit`, it is the random start.

    Args:
        family: The tasks.
        **arguments: As for `PolicyMAML`, but `inner_steps`.
    """
    return PolicyMAML(family, inner_steps=0, **arguments)


def oracle_policy(family: TaskFamily, **arguments: Any) -> PolicyMAML:
    """The same of an agent who sees which task it is in; nothing is left to adapt.

    Args:
        family: The tasks.
        **arguments: As for `pretrained_policy`.
    """
    return PolicyMAML(OracleFamily(family), inner_steps=0, **arguments)
