"""Environments stepped in the graph, against one at a time in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.bandits import Bandits
from tfmeta.control.navigation import Navigation

NUMBERS = tf.constant([3, 0, 2**40], tf.int64)
SEED = tf.constant([1, 2], tf.int32)
FAMILIES = {
    "navigation": Navigation(horizon=4, seed=5),
    "bandits": Bandits(arms=3, horizon=2, seed=5),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_task_is_a_function_of_its_number(name):
    family = FAMILIES[name]
    (found,) = family.tasks(NUMBERS).values()
    (again,) = tf.function(family.tasks)(NUMBERS[::-1]).values()
    np.testing.assert_array_equal(found, again[::-1])
    other = type(family).from_config({**family.get_config(), "seed": 6})
    (others,) = other.tasks(NUMBERS).values()
    assert not np.any(found == others)
    assert len(np.unique(found)) == tf.size(found)
    context = family.context(family.tasks(NUMBERS))
    assert context.shape[0] == 3 and np.abs(context).max() <= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_families_are_written_and_read(name):
    family = FAMILIES[name]
    kept = keras.saving.serialize_keras_object(family)
    back = keras.saving.deserialize_keras_object(kept)
    assert type(back) is type(family) and back.get_config() == family.get_config()


def test_goals_are_uniform_in_the_square():
    numbers = tf.range(2000, dtype=tf.int64)
    goals = tf.function(Navigation().tasks)(numbers)["goal"].numpy()
    counts, _, _ = np.histogram2d(*goals.T, bins=4, range=[[-0.5, 0.5]] * 2)
    assert counts.sum() == 2000 and abs(counts - 125).max() < 50


@pytest.mark.parametrize("reward", ["distance", "squared_distance"])
def test_navigation_is_that_of_numpy(reward):
    family = Navigation(horizon=4, reward=reward)
    tasks = {"goal": tf.constant([[0.1, 0.02], [-0.3, 0.4]])}
    state, seen = family.reset(tasks, 2, SEED)
    np.testing.assert_array_equal(seen, np.zeros((2, 2, 2)))
    position = np.zeros((2, 2, 2))
    for number in range(4):
        actions = np.random.default_rng(number).normal(0, 0.1, (2, 2, 2))
        if number == 0:
            actions[0, 0] = [0.7, 0.021]  # Clipped to 0.1: at the goal.
        position = position + np.clip(actions, -0.1, 0.1)
        state, *found = family.step(tasks, state, tf.constant(actions, "float32"), SEED)
        seen, rewards, terminated, truncated = found
        apart = np.linalg.norm(position - tasks["goal"].numpy()[:, None], axis=-1)
        power = 1 if reward == "distance" else 2
        np.testing.assert_allclose(seen, position, atol=1e-6)
        np.testing.assert_allclose(rewards, -(apart**power), atol=1e-6)
        np.testing.assert_array_equal(terminated, apart < 0.01)
        assert np.all(truncated.numpy() == (number == 3))
        if number == 0:
            assert terminated[0, 0] and not terminated[1, 1]


def test_bandits_give_as_often_as_they_should():
    family = Bandits(arms=2, horizon=2)
    tasks = {"probability": tf.constant([[0.2, 0.9], [0.5, 0.0]])}
    state, seen = family.reset(tasks, 4000, SEED)
    assert seen.shape == (2, 4000, 1) and np.all(seen == 1)
    for number, arm in enumerate((0, 1)):
        step = family.step(tasks, state, tf.fill([2, 4000], arm), SEED + number)
        state = step.state
        wanted = tasks["probability"].numpy()[:, arm]
        np.testing.assert_allclose(step.rewards.numpy().mean(1), wanted, atol=0.03)
        assert set(np.unique(step.rewards)) <= {0.0, 1.0}
        assert np.all(step.terminated.numpy() == (number == 1))
        assert not np.any(step.truncated)


@pytest.mark.parametrize(
    "make, word",
    [
        (lambda: Navigation(horizon=0), "`horizon`"),
        (lambda: Navigation(reward="cubed"), "`reward`"),
        (lambda: Navigation(goal_range=float("nan")), "`goal_range`"),
        (lambda: Bandits(arms=1), "`arms`"),
        (lambda: Bandits(seed=-1), "`seed`"),
    ],
)
def test_wrong_arguments_are_named(make, word):
    with pytest.raises(ValueError, match=word):
        make()
