"""Several episodes of a task one after the other, by a policy that remembers."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.control.recurrent_policy import Memory, RecurrentPolicy
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories

# Streams of the seed of a step, and of an episode.
_ACTION, _STEP, _RESET = range(3)


def run_trial(
    family: TaskFamily,
    tasks: TaskParameters,
    policy: RecurrentPolicy,
    memory: Memory,
    episodes: int,
    seed: tf.Tensor,
) -> tuple[Trajectories, Memory]:
    """Acts in some episodes of each task, and remembers one in the next.

    All tasks begin an episode together: one that has ended before waits for the others,
    and its memory stands still.

    Args:
        family: Of the tasks.
        tasks: As of `TaskFamily.tasks`.
        policy: Which acts.
        memory: What is remembered at the beginning.
        episodes: How many.
        seed: Int32 `(2,)`, of `tf.random.stateless_*`.

    Returns:
        What happened, its axis of trajectories that of episodes, and what is
        remembered then.
    """
    static = memory["hidden"].shape[0]

    def episode(
        number: tf.Tensor, memory: Memory, arrays: list[tf.TensorArray]
    ) -> tuple[tf.Tensor, Memory, list[tf.TensorArray]]:
        own = _folded(seed, number)
        parts, memory = _run_episode(family, tasks, policy, memory, own)
        written = [
            array.write(number, part) for array, part in zip(arrays, parts, strict=True)
        ]
        return number + 1, memory, written

    steps = family.horizon
    shapes = (
        ([static, steps, family.observation_size], tf.float32),
        ([static, steps, *family.actions.shape], family.actions.dtype),
        ([static, steps], tf.float32),
        ([static, steps], tf.bool),
        ([static, steps], memory["hidden"].dtype),
        ([static], tf.bool),
        ([static, family.observation_size], tf.float32),
    )
    arrays = [
        tf.TensorArray(dtype, size=episodes, element_shape=shape)
        for shape, dtype in shapes
    ]
    _, memory, arrays = tf.while_loop(
        lambda number, *_: number < episodes,
        episode,
        (tf.constant(0), memory, arrays),
        maximum_iterations=episodes,
        parallel_iterations=1,
    )
    return Trajectories(*(_tasks_first(array, 1) for array in arrays)), memory


def _run_episode(
    family: TaskFamily,
    tasks: TaskParameters,
    policy: RecurrentPolicy,
    memory: Memory,
    seed: tf.Tensor,
) -> tuple[list[tf.Tensor], Memory]:
    """Parts of `Trajectories` without the axis of trajectories, and the memory."""
    static = memory["hidden"].shape[0]
    state, observations = family.reset(tasks, 1, _folded(seed, _RESET))
    observations = tf.ensure_shape(
        observations[:, 0], [static, family.observation_size]
    )
    alive = tf.ones_like(observations[:, 0], tf.bool)
    shapes = (
        ([static, family.observation_size], tf.float32),
        ([static, *family.actions.shape], family.actions.dtype),
        ([static], tf.float32),
        ([static], tf.bool),
        ([static], memory["hidden"].dtype),
    )
    arrays = [
        tf.TensorArray(dtype, size=family.horizon, element_shape=shape)
        for shape, dtype in shapes
    ]

    def body(
        step: tf.Tensor,
        state: dict[str, tf.Tensor],
        observations: tf.Tensor,
        alive: tf.Tensor,
        terminated: tf.Tensor,
        memory: Memory,
        arrays: list[tf.TensorArray],
    ) -> tuple:
        own = _folded(seed, step + _RESET + 1)
        hidden = policy.see(memory, observations)
        chances = policy.distribution(hidden)
        actions = chances.sample(_folded(own, _ACTION))
        actions = tf.cast(actions, family.actions.dtype)
        there = family.step(tasks, state, actions[:, tf.newaxis], _folded(own, _STEP))
        ends, stops = there.terminated[:, 0], there.truncated[:, 0]
        over = ends | stops | (step + 1 >= family.horizon)
        rewards = tf.where(alive, tf.cast(there.rewards[:, 0], tf.float32), 0.0)
        parts = (
            observations,
            actions,
            rewards,
            alive,
            policy.log_prob(chances, actions),
        )
        arrays = [
            array.write(step, tf.ensure_shape(part, array.element_shape))
            for array, part in zip(arrays, parts, strict=True)
        ]
        memory = policy.remember(memory, hidden, actions, rewards, over, alive)
        following = tf.where(
            alive[:, tf.newaxis], there.observations[:, 0], observations
        )
        terminated |= alive & ends
        return (
            step + 1,
            there.state,
            tf.ensure_shape(following, observations.shape),
            alive & ~over,
            terminated,
            memory,
            arrays,
        )

    _, _, observations, _, terminated, memory, arrays = tf.while_loop(
        lambda step, *_: step < family.horizon,
        body,
        (
            tf.constant(0),
            state,
            observations,
            alive,
            tf.zeros_like(alive),
            memory,
            arrays,
        ),
        maximum_iterations=family.horizon,
        parallel_iterations=1,
    )
    lived = [_tasks_first(array, 1) for array in arrays]
    return [*lived, terminated, observations], memory


def _tasks_first(array: tf.TensorArray, axis: int) -> tf.Tensor:
    """What an array holds, its own axis behind that of tasks."""
    stacked = array.stack()
    others = [place for place in range(stacked.shape.rank) if place not in (0, axis)]
    return tf.transpose(stacked, [axis, 0, *others])


def _folded(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    return tf.random.fold_in(seed, tf.cast(number, seed.dtype), alg="philox")
