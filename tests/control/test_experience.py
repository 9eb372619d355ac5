"""Episodes in a row, and the advantages of a whole trial, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.clipped_surrogate import (
    clipped_surrogate,
    masked_mean,
    standardized,
    trial_advantages,
)
from tfmeta.control.experience import experience_of
from tfmeta.control.trajectories import Trajectories

MASK = np.array([[[1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 1, 0]]], bool)


def numbered():
    """Each step with a number of its own."""
    numbers = np.arange(12).reshape(2, 2, 3)
    return Trajectories(
        observations=tf.constant(numbers[..., None], tf.float32),
        actions=tf.constant(numbers, tf.int32),
        rewards=tf.constant(np.where(MASK, numbers, 0), tf.float32),
        mask=tf.constant(MASK),
        log_probabilities=tf.constant(-numbers, tf.float32),
        terminated=tf.zeros([2, 2], tf.bool),
        last_observations=tf.zeros([2, 2, 1]),
    )


def test_episodes_stand_one_behind_the_other():
    lived = experience_of(numbered())
    for task, (real, last) in enumerate(
        (([0, 1, 3, 4, 5], [1, 4]), ([6, 9, 10], [0, 2]))
    ):
        count = len(real)
        np.testing.assert_array_equal(lived.actions[task, :count], real)
        np.testing.assert_array_equal(lived.observations[task, :count, 0], real)
        np.testing.assert_array_equal(lived.rewards[task, :count], real)
        np.testing.assert_array_equal(
            lived.log_probabilities[task, :count], -np.array(real)
        )
        np.testing.assert_array_equal(np.flatnonzero(lived.ended[task]), last)
        np.testing.assert_array_equal(lived.mask[task], np.arange(6) < count)
        assert not np.any(lived.rewards[task, count:])


def test_advantages_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 3, 7))
    mask = np.arange(7) < np.array([[7], [4], [1]])
    gamma, gae_lambda = 0.9, 0.6
    found = trial_advantages(
        tf.constant(rewards),
        tf.constant(values),
        tf.constant(mask),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )
    for task, count in enumerate((7, 4, 1)):
        expected, after = np.zeros(7), 0.0
        for step in reversed(range(count)):
            following = values[task, step + 1] if step + 1 < count else 0.0
            delta = rewards[task, step] + gamma * following - values[task, step]
            after = expected[step] = delta + gamma * gae_lambda * after
        np.testing.assert_allclose(found[task], expected, atol=1e-12)


def test_the_surrogate_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    new, old, advantages = rng.normal(scale=0.3, size=(3, 4, 5))
    mask = rng.random((4, 5)) < 0.7
    # Nothing is known of what was not chosen.
    old[~mask] = np.nan
    found = clipped_surrogate(*map(tf.constant, (new, old, advantages, mask)), clip=0.2)
    ratio = np.exp(new - old)[mask]
    held = np.clip(ratio, 0.8, 1.2)
    expected = np.minimum(ratio * advantages[mask], held * advantages[mask])
    assert float(found) == pytest.approx(-expected.mean(), abs=1e-12)


def test_without_a_step_its_gradient_is_that_of_the_policy():
    rng = np.random.default_rng(2)
    logs, advantages = tf.Variable(rng.normal(size=(3, 4))), rng.normal(size=(3, 4))
    mask = tf.ones([3, 4], tf.bool)
    with tf.GradientTape() as tape:
        loss = clipped_surrogate(
            logs, tf.constant(logs.numpy()), tf.constant(advantages), mask, 0.2
        )
    np.testing.assert_allclose(tape.gradient(loss, logs), -advantages / 12, atol=1e-12)


def test_standardized_over_real_entries():
    values = tf.constant([[1.0, 2.0, 99.0], [3.0, 6.0, 99.0]], tf.float64)
    mask = tf.constant([[True, True, False]] * 2)
    found = standardized(values, mask).numpy()
    real = np.array([1.0, 2.0, 3.0, 6.0])
    np.testing.assert_allclose(
        found[:, :2].ravel(), (real - real.mean()) / real.std(), atol=1e-6
    )
    assert not found[:, 2].any()
    assert float(masked_mean(values, mask)) == 3.0
