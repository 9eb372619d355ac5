"""A policy that remembers what it did, and what came of it."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.distributions import (
    ActionDistribution,
    distribution_of_outputs,
)
from tfmeta.control.experience import Experience
from tfmeta.seeds import spawn_seeds

# Of each task: `hidden` `(tasks, units)`, and of the last step `action` `(tasks, size)`
# as it is read, `reward` `(tasks,)` and `ended` `(tasks,)`, 1 behind an episode's end.
Memory: TypeAlias = dict[str, tf.Tensor]


class RecurrentPolicy(keras.layers.Layer):
    """A gated recurrent unit that reads observations, and what the last step led to.

    The policy of Duan et al. (2016), *RL²*, section 2.2: its input is the observation
    with the last action, reward and flag of termination, 0 where there was no step.
    Nothing of its memory is lost when an episode ends. Actions are chosen, and what is
    still to be had is estimated, from one hidden state.

    Args:
        observation_size: Numbers that are observed.
        actions: What an agent may do.
        units: Of the hidden state.
        value_scale: Unit of what is still to be had.
        seed: Seed of the weights, `None` for others at every call.
    """

    def __init__(
        self,
        observation_size: int,
        actions: ActionSpace,
        units: int,
        *,
        value_scale: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.observation_size = observation_size
        self.actions = actions
        self.units = units
        self.value_scale = value_scale
        seeds = spawn_seeds(seed, 3, stream="recurrent_policy")
        self.cell = keras.layers.GRUCell(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(seeds[0]),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
            dtype=self.dtype_policy,
        )
        self.cell.build((None, observation_size + actions.size + 2))
        # At first all actions are nearly alike, whatever was read.
        self.head = keras.layers.Dense(
            actions.size,
            kernel_initializer=keras.initializers.Orthogonal(0.01, seed=seeds[2]),
            dtype=self.dtype_policy,
        )
        self.head.build((None, units))
        # From 0: with values of chance, advantages of a short trace would be those of
        # the hidden states that happen to look well, and actions settle on them.
        self.value_head = keras.layers.Dense(
            1, kernel_initializer="zeros", dtype=self.dtype_policy
        )
        self.value_head.build((None, units))
        self.log_deviations = None
        if actions.kind == "continuous":
            self.log_deviations = self.add_weight(
                shape=(actions.size,), initializer="zeros", name="log_deviations"
            )
        self.built = True

    def begin(self, tasks: Any) -> Memory:
        """What is remembered of nothing, of so many tasks."""
        dtype = self.variable_dtype
        return {
            "hidden": tf.zeros([tasks, self.units], dtype),
            "action": tf.zeros([tasks, self.actions.size], dtype),
            "reward": tf.zeros([tasks], dtype),
            "ended": tf.zeros([tasks], dtype),
        }

    def see(self, memory: Memory, observations: tf.Tensor) -> tf.Tensor:
        """The hidden state after an observation, before the action.

        Args:
            memory: What is remembered, `(rows, ...)`.
            observations: Float `(rows, observation_size)`.

        Returns:
            `(rows, units)`.
        """
        return self._step(self._projected(memory, observations), memory["hidden"])

    def remember(
        self,
        memory: Memory,
        hidden: tf.Tensor,
        actions: tf.Tensor,
        rewards: tf.Tensor,
        ended: tf.Tensor,
        mask: tf.Tensor,
    ) -> Memory:
        """What is remembered after a step.

        Args:
            memory: Of before it.
            hidden: As of `see`.
            actions: What was done, `(rows, *action)`.
            rewards: Float `(rows,)`.
            ended: Bool `(rows,)`: whether the episode is over.
            mask: Bool `(rows,)`: where there was a step.
        """
        after = {
            "hidden": hidden,
            "action": self._read_actions(actions),
            "reward": tf.cast(rewards, self.variable_dtype),
            "ended": tf.cast(ended, self.variable_dtype),
        }
        wide = mask[:, tf.newaxis]
        return {
            name: tf.where(wide if part.shape.rank == 2 else mask, part, memory[name])
            for name, part in after.items()
        }

    def read(self, memory: Memory, experience: Experience) -> tuple[tf.Tensor, Memory]:
        """As `see` and `remember`, step by step.

        Args:
            memory: Of before the first step.
            experience: What was lived through.

        Returns:
            Hidden states `(tasks, steps, units)` after each observation, without
            meaning where there was no step; and what is remembered then.
        """
        lived = {
            "action": self._read_actions(experience.actions),
            "reward": tf.cast(experience.rewards, self.variable_dtype),
            "ended": tf.cast(experience.ended, self.variable_dtype),
        }
        # Each with that of before the first step in front.
        lived = {
            name: tf.concat([memory[name][:, tf.newaxis], part], axis=1)
            for name, part in lived.items()
        }
        last = {name: part[:, :-1] for name, part in lived.items()}
        # The input's part of all steps at once: the loop has the rest alone.
        projected = self._projected(last, experience.observations)
        hiddens, hidden = self._run(projected, memory["hidden"], experience.mask)
        count = tf.reduce_sum(tf.cast(experience.mask, tf.int32), axis=1)
        after = {
            name: tf.gather(part, count, batch_dims=1) for name, part in lived.items()
        }
        return hiddens, {**after, "hidden": hidden}

    def outputs(self, hidden: tf.Tensor) -> tf.Tensor:
        """What stands for a distribution, see `distribution_of_outputs`.

        Args:
            hidden: `(..., units)`.

        Returns:
            Logits `(..., size)`, or means and logarithms of standard deviations
            `(..., 2 * size)` in the environment's unit.
        """
        means = tf.matmul(_rows(hidden), self.head.kernel) + self.head.bias
        if self.log_deviations is not None:
            middle, half = self._unit()
            logs = self.log_deviations + tf.math.log(tf.constant(half, means.dtype))
            logs = tf.broadcast_to(logs, tf.shape(means))
            means = tf.concat([middle + half * means, logs], axis=-1)
        return _as_before(means, hidden)

    def distribution(self, hidden: tf.Tensor) -> ActionDistribution:
        """The same as a distribution."""
        return distribution_of_outputs(self.actions, self.outputs(hidden))

    def log_prob(self, chances: ActionDistribution, actions: tf.Tensor) -> tf.Tensor:
        """Of actions of the environment's dtype, in that of the policy."""
        if self.actions.kind == "continuous":
            actions = tf.cast(actions, self.variable_dtype)
        return chances.log_prob(actions)

    def values(self, hidden: tf.Tensor) -> tf.Tensor:
        """What is still to be had, `(...)`, from hidden states `(..., units)`."""
        head = self.value_head
        found = tf.matmul(_rows(hidden), head.kernel) + head.bias
        return self.value_scale * _as_before(found, hidden)[..., 0]

    def _unit(self) -> tuple[float, float]:
        """The middle of what may be done, and half of what lies between bounds."""
        low, high = self.actions.low, self.actions.high
        if low is None or high is None:
            return 0.0, 1.0
        return 0.5 * (low + high), 0.5 * (high - low)

    def _read_actions(self, actions: tf.Tensor) -> tf.Tensor:
        """Actions as they are read: one-hot, or in the policy's own unit."""
        if self.actions.kind == "discrete":
            return tf.one_hot(actions, self.actions.size, dtype=self.variable_dtype)
        middle, half = self._unit()
        read = (tf.cast(actions, self.variable_dtype) - middle) / half
        if self.actions.low is None:
            return read
        # What the environment makes of it.
        return tf.clip_by_value(read, -1.0, 1.0)

    def _projected(self, last: Memory, observations: tf.Tensor) -> tf.Tensor:
        """The input's part of the gates, `(..., 3 * units)`."""
        observations = tf.cast(observations, self.variable_dtype)
        inputs = tf.concat(
            [
                observations,
                last["action"],
                last["reward"][..., tf.newaxis],
                last["ended"][..., tf.newaxis],
            ],
            axis=-1,
        )
        projected = tf.matmul(_rows(inputs), self.cell.kernel) + self.cell.bias[0]
        return _as_before(projected, inputs)

    def _step(self, projected: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """The unit of `keras.layers.GRUCell`, its input's part known."""
        own = tf.matmul(hidden, self.cell.recurrent_kernel) + self.cell.bias[1]
        update, reset, new = tf.split(projected, 3, axis=-1)
        own_update, own_reset, own_new = tf.split(own, 3, axis=-1)
        update = tf.sigmoid(update + own_update)
        new = tf.tanh(new + tf.sigmoid(reset + own_reset) * own_new)
        return update * hidden + (1 - update) * new

    def _run(
        self, projected: tf.Tensor, hidden: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Hidden states `(tasks, steps, units)`, and the last of real steps."""
        known = projected.shape[1]
        steps = tf.shape(projected)[1] if known is None else known
        by_step = tf.transpose(projected, [1, 0, 2])
        real = tf.transpose(mask)[..., tf.newaxis]
        found = tf.TensorArray(
            hidden.dtype, size=steps, element_shape=hidden.shape, name="hiddens"
        )

        def body(
            step: tf.Tensor, hidden: tf.Tensor, found: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            hidden = tf.where(real[step], self._step(by_step[step], hidden), hidden)
            return step + 1, hidden, found.write(step, hidden)

        _, hidden, found = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            (tf.constant(0), hidden, found),
            maximum_iterations=steps,
        )
        return tf.transpose(found.stack(), [1, 0, 2]), hidden


def _rows(values: tf.Tensor) -> tf.Tensor:
    """`(..., size)` as a matrix."""
    return tf.reshape(values, [-1, values.shape[-1]])


def _as_before(rows: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """A matrix with the leading axes that there were before."""
    shape = tf.concat([tf.shape(before)[:-1], [rows.shape[-1]]], axis=0)
    return tf.ensure_shape(
        tf.reshape(rows, shape), [*before.shape[:-1], rows.shape[-1]]
    )
