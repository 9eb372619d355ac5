"""Trajectories of all tasks at once, inside the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfmeta.control.distributions import ActionDistribution
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories

# From observations `(tasks, trajectories, size)` to what to do there.
ActsBy = Callable[[tf.Tensor], ActionDistribution]

_RESET, _ACT, _STEP = range(3)


class _Recorded(NamedTuple):
    """What is written down at every step, each with the steps as its first axis."""

    # Arrays of tensors while it is written, tensors afterwards.
    observations: Any
    actions: Any
    rewards: Any
    mask: Any
    log_probabilities: Any

    def at(self, step: tf.Tensor, *values: tf.Tensor) -> _Recorded:
        """With the values of a step."""
        return _Recorded(
            *(part.write(step, v) for part, v in zip(self, values, strict=True))
        )


def roll_out(
    family: TaskFamily,
    tasks: TaskParameters,
    policy: ActsBy,
    *,
    trajectories: int,
    seed: tf.Tensor,
    dtype: tf.DType = tf.float32,
) -> Trajectories:
    """Acts in all tasks until each trajectory has ended, at most for the horizon.

    A trajectory that the family cuts off, or that reaches the horizon, has not
    terminated: the value of what would have come counts. Behind its end observations
    and actions are 0, as are rewards and log probabilities.

    Args:
        family: Environments.
        tasks: Of `family.tasks`.
        policy: What to do, for all tasks and trajectories at once.
        trajectories: Of each task.
        seed: Int32 `(2,)`; the trajectories are a function of it.
        dtype: Of observations, rewards and log probabilities.
    """
    steps, actions = family.horizon, family.actions
    state, seen = family.reset(tasks, trajectories, _folded(seed, _RESET, 0))
    seen = tf.cast(seen, dtype)
    count = tf.shape(seen)[0]
    rows = seen.shape[:2]

    def recorded(kind: tf.DType, *shape: int) -> tf.TensorArray:
        return tf.TensorArray(
            kind, size=steps, element_shape=[*rows, *shape], clear_after_read=False
        )

    written = _Recorded(
        recorded(dtype, family.observation_size),
        recorded(tf.as_dtype(actions.dtype), *actions.shape),
        recorded(dtype),
        recorded(tf.bool),
        recorded(dtype),
    )
    alive = tf.ones([count, trajectories], tf.bool)

    def advance(
        step: tf.Tensor,
        state: dict[str, tf.Tensor],
        seen: tf.Tensor,
        alive: tf.Tensor,
        terminated: tf.Tensor,
        written: _Recorded,
    ) -> tuple:
        chosen = policy(seen)
        action = tf.cast(chosen.sample(_folded(seed, _ACT, step)), actions.dtype)
        after = family.step(tasks, state, action, _folded(seed, _STEP, step))
        written = written.at(
            step,
            _where(alive, seen),
            _where(alive, action),
            _where(alive, tf.cast(after.rewards, dtype)),
            alive,
            _where(alive, tf.cast(chosen.log_prob(action), dtype)),
        )
        # What comes behind the end is not looked at, also where it is not finite.
        seen = tf.where(alive[..., None], tf.cast(after.observations, dtype), seen)
        terminated |= alive & after.terminated
        alive &= ~(after.terminated | after.truncated)
        return step + 1, after.state, seen, alive, terminated, written

    start = (tf.constant(0), state, seen, alive, tf.zeros_like(alive), written)
    _, _, last, _, terminated, written = tf.while_loop(
        lambda *_: tf.constant(True), advance, start, maximum_iterations=steps
    )
    # Steps are written first, and stand behind tasks and trajectories.
    parts = _Recorded(*(_steps_third(part.stack()) for part in written))
    found = Trajectories(
        observations=parts.observations,
        actions=parts.actions,
        rewards=parts.rewards,
        mask=parts.mask,
        log_probabilities=parts.log_probabilities,
        terminated=terminated,
        last_observations=last,
    )
    return Trajectories(*(tf.stop_gradient(part) for part in found))


def returns(trajectories: Trajectories) -> tf.Tensor:
    """Sums of the rewards, undiscounted, `(tasks, trajectories)`."""
    return tf.reduce_sum(trajectories.rewards, axis=-1)


def _where(alive: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    missing = values.shape.rank - alive.shape.rank
    alive = tf.reshape(alive, tf.concat([tf.shape(alive), [1] * missing], axis=0))
    return tf.where(alive, values, tf.zeros_like(values))


def _steps_third(values: tf.Tensor) -> tf.Tensor:
    return tf.transpose(values, [1, 2, 0, *range(3, values.shape.rank)])


def _folded(seed: tf.Tensor, stream: int, step: int | tf.Tensor) -> tf.Tensor:
    """A seed of its own for each stream and step."""
    number = tf.constant(stream, seed.dtype)
    own = tf.random.fold_in(seed, number, alg="philox")
    return tf.random.fold_in(own, tf.cast(step, seed.dtype), alg="philox")
