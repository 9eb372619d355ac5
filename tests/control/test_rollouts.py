"""Trajectories, against a loop of Python that steps the same environments."""

import numpy as np
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.distributions import Categorical
from tfmeta.control.navigation import Navigation
from tfmeta.control.policies import Policy
from tfmeta.control.rollouts import returns, roll_out
from tfmeta.control.task_family import Step, TaskFamily

SEED = tf.constant([1, 2], tf.int32)


class Countdown(TaskFamily):
    """Ends after as many steps as a task says; is cut off one later than that."""

    name, observation_size, horizon = "countdown", 1, 5
    actions = ActionSpace("discrete", 2)

    def tasks(self, numbers):
        return {"ends": numbers}

    def reset(self, tasks, trajectories, seed):
        steps = tf.zeros([len(tasks["ends"]), trajectories], tf.int32)
        return {"steps": steps}, tf.cast(steps, tf.float32)[..., None]

    def step(self, tasks, state, actions, seed):
        steps = state["steps"] + 1
        ends = tf.cast(tasks["ends"], tf.int32)[:, None]
        # Behind the end nothing is as it should be.
        odd = steps > abs(ends)
        value = tf.where(odd, float("nan"), tf.cast(steps, tf.float32))
        over = steps >= abs(ends)
        return Step({"steps": steps}, value[..., None], value, over & (ends > 0), over)

    def context(self, tasks):
        return tf.cast(tasks["ends"], tf.float32)[:, None]

    def get_config(self):
        return {}


def test_behind_the_end_is_nothing():
    family = Countdown()
    # Ends by itself, is cut off, and reaches the horizon.
    tasks = family.tasks(tf.constant([2, -3, 9]))
    found = tf.function(
        lambda: roll_out(
            family,
            tasks,
            lambda seen: Categorical(tf.concat([seen, 1 - seen], -1)),
            trajectories=2,
            seed=SEED,
            dtype=tf.float64,
        )
    )()
    for task, length in enumerate((2, 3, 5)):
        for trajectory in range(2):
            counted = np.arange(5)
            real = counted < length
            place = (task, trajectory)
            np.testing.assert_array_equal(found.mask[place], real)
            seen = np.where(real, counted, 0)
            np.testing.assert_array_equal(found.observations[place][:, 0], seen)
            rewards = np.where(real, counted + 1, 0)
            np.testing.assert_array_equal(found.rewards[place], rewards)
            np.testing.assert_array_equal(found.last_observations[place], [length])
            # log(softmax([s, 1 - s])) of what was done.
            first = np.where(found.actions[place] == 0, 1, -1)
            logs = -np.log1p(np.exp(-first * (2 * seen - 1)))
            np.testing.assert_allclose(
                found.log_probabilities[place], np.where(real, logs, 0), rtol=1e-5
            )
            assert not np.any(found.actions[place][length:])
    np.testing.assert_array_equal(
        found.terminated, [[True] * 2, [False] * 2, [False] * 2]
    )
    np.testing.assert_array_equal(returns(found), [[3, 3], [6, 6], [15, 15]])


def test_they_follow_from_their_actions():
    family = Navigation(horizon=5)
    policy = Policy(2, family.actions, (4,))
    weights = {
        name: tf.stack([make(policy.shapes[name])] * 2)
        for name, make in policy.initializers(0).items()
    }
    tasks = family.tasks(tf.constant([1, 2], tf.int64))

    def rolled(seed):
        return roll_out(
            family,
            tasks,
            lambda seen: policy.distribution(weights, seen),
            trajectories=3,
            seed=seed,
        )

    traced = tf.function(rolled)
    found = traced(SEED)
    position = np.zeros((2, 3, 2))
    for step in range(5):
        np.testing.assert_allclose(found.observations[:, :, step], position, atol=1e-6)
        moved = np.clip(found.actions[:, :, step], -0.1, 0.1)
        position = position + moved
        apart = np.linalg.norm(position - tasks["goal"].numpy()[:, None], axis=-1)
        np.testing.assert_allclose(found.rewards[:, :, step], -apart, atol=1e-6)
    np.testing.assert_allclose(found.last_observations, position, atol=1e-6)
    logs = policy.distribution(weights, found.observations).log_prob(found.actions)
    np.testing.assert_allclose(found.log_probabilities, logs, rtol=1e-5)
    # Of the seed alone; no two draws are the same.
    for ours, theirs in zip(found, rolled(SEED), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert len(np.unique(found.actions)) == tf.size(found.actions)
    assert not np.any(traced(SEED + 1).actions == found.actions)
