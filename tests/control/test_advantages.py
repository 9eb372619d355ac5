"""Returns, advantages and values by hand, in NumPy and float64."""

import numpy as np
import tensorflow as tf

from tfmeta.control.advantages import (
    discounted_returns,
    discounted_sums,
    generalized_advantages,
    masked_mean,
    normalized,
)
from tfmeta.control.linear_baseline import linear_values
from tfmeta.control.trajectories import Trajectories

RNG = np.random.default_rng(0)
STEPS, SIZE = 6, 3
LENGTHS = np.array([[6, 2, 4], [1, 6, 3]])
TERMINATED = np.array([[False, True, False], [True, True, False]])
MASK = np.arange(STEPS) < LENGTHS[..., None]


def made():
    observations = 0.2 * RNG.normal(size=(2, 3, STEPS, SIZE))
    rewards = np.where(MASK, RNG.normal(size=MASK.shape), 0)
    return Trajectories(
        tf.constant(observations),
        tf.zeros(MASK.shape, tf.int32),
        tf.constant(rewards),
        tf.constant(MASK),
        tf.zeros(MASK.shape, tf.float64),
        tf.constant(TERMINATED),
        tf.constant(0.2 * RNG.normal(size=(2, 3, SIZE))),
    )


def test_discounted_sums():
    values = RNG.normal(size=(2, 5))
    for factor in (0.0, 0.9, 1.0):
        wanted = [
            [sum(factor**k * row[t + k] for k in range(5 - t)) for t in range(5)]
            for row in values
        ]
        found = discounted_sums(tf.constant(values), factor)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_returns_end_with_the_trajectory():
    trajectories = made()
    found = discounted_returns(trajectories, 0.9).numpy()
    rewards = trajectories.rewards.numpy()
    for place in np.ndindex(2, 3):
        length, total = LENGTHS[place], 0.0
        for t in reversed(range(length)):
            total = rewards[place][t] + 0.9 * total
            np.testing.assert_allclose(found[place][t], total, rtol=1e-12)
        assert not found[place][length:].any()


def test_generalized_advantages():
    trajectories = made()
    values, last = RNG.normal(size=MASK.shape), RNG.normal(size=(2, 3))
    rewards = trajectories.rewards.numpy()
    for gamma, gae_lambda in ((0.99, 1.0), (0.9, 0.7), (1.0, 0.0)):
        found = generalized_advantages(
            trajectories,
            tf.constant(values),
            tf.constant(last),
            gamma=gamma,
            gae_lambda=gae_lambda,
        ).numpy()
        for place in np.ndindex(2, 3):
            length, advantage = LENGTHS[place], 0.0
            behind = 0.0 if TERMINATED[place] else last[place]
            for t in reversed(range(length)):
                error = rewards[place][t] + gamma * behind - values[place][t]
                advantage = error + gamma * gae_lambda * advantage
                np.testing.assert_allclose(found[place][t], advantage, rtol=1e-10)
                behind = values[place][t]
            assert not found[place][length:].any()


def test_normalized_in_each_task():
    advantages = RNG.normal(2.0, 3.0, size=MASK.shape)
    found = normalized(tf.constant(advantages), tf.constant(MASK)).numpy()
    means = masked_mean(tf.constant(advantages), tf.constant(MASK))
    for task in range(2):
        real = advantages[task][MASK[task]]
        np.testing.assert_allclose(means[task], real.mean(), rtol=1e-12)
        wanted = (real - real.mean()) / real.std()
        np.testing.assert_allclose(found[task][MASK[task]], wanted, rtol=1e-6)
        assert not found[task][~MASK[task]].any()


def test_advantages_that_are_all_the_same_are_none():
    same = normalized(tf.ones([1, 2, 3]), tf.ones([1, 2, 3], tf.bool))
    np.testing.assert_array_equal(same, np.zeros((1, 2, 3)))


def test_linear_values_are_those_of_least_squares_in_each_task():
    trajectories = made()
    values, last = linear_values(trajectories, gamma=0.9, ridge=1e-3)
    wanted = discounted_returns(trajectories, 0.9).numpy()

    def features(seen, step):
        time = step / 100
        return np.concatenate([seen, seen**2, [time, time**2, time**3, 1.0]])

    for task in range(2):
        rows, targets = [], []
        for trajectory, length in enumerate(LENGTHS[task]):
            for t in range(length):
                seen = trajectories.observations[task, trajectory, t].numpy()
                rows.append(features(seen, t))
                targets.append(wanted[task, trajectory, t])
        rows, targets = np.array(rows), np.array(targets)
        # The ridge as further rows of an ordinary least squares.
        size = rows.shape[1]
        joined = np.concatenate([rows, np.sqrt(1e-3) * np.eye(size)])
        best = np.linalg.lstsq(joined, np.append(targets, np.zeros(size)), rcond=None)
        found = values.numpy()[task][MASK[task]]
        np.testing.assert_allclose(found, rows @ best[0], rtol=1e-7, atol=1e-9)
        for trajectory, length in enumerate(LENGTHS[task]):
            seen = trajectories.last_observations[task, trajectory].numpy()
            np.testing.assert_allclose(
                last[task, trajectory],
                features(seen, length) @ best[0],
                rtol=1e-7,
                atol=1e-9,
            )


def test_values_of_what_is_not_finite_are_not_finite():
    trajectories = made()
    odd = trajectories.rewards.numpy()
    odd[0, 0, 0] = np.nan
    values, _ = linear_values(
        trajectories._replace(rewards=tf.constant(odd)), gamma=1.0
    )
    assert np.isnan(values[0]).all() and np.isfinite(values[1]).all()
