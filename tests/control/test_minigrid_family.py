"""Worlds of MiniGrid: a task is a layout, seen as the agent sees it."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control import minigrid_family
from tfmeta.control.minigrid_family import MiniGridFamily
from tfmeta.extras import MissingExtraError

pytest.importorskip("minigrid")
ENV_ID = "MiniGrid-SimpleCrossingS9N2-v0"
SEED = tf.constant([1, 2])


@pytest.fixture(scope="module")
def family():
    return MiniGridFamily(ENV_ID, horizon=12, seed=0)


def test_what_is_seen_is_the_view_and_the_direction(family):
    tasks = family.tasks(tf.constant([0, 3], tf.int64))
    state, first = family.reset(tasks, 2, SEED)
    plain = gymnasium.make(ENV_ID)
    # Left, then forward: other cells, and another direction.
    for trajectory, actions in enumerate(([0, 2], [2, 1])):
        seen, _ = plain.reset(seed=int(tasks["reset_seed"][1]))
        assert decoded(first[1, trajectory]) == as_seen(seen)
        for action in actions:
            seen, *_ = plain.step(action)
        last = as_seen(seen)
        if trajectory == 0:
            expected = [last]
        else:
            expected.append(last)
    for actions in ([[0, 2], [0, 2]], [[2, 1], [2, 1]]):
        after = family.step(tasks, state, tf.constant(actions), SEED)
        state = after.state
    assert [decoded(after.observations[1, t]) for t in range(2)] == expected


def as_seen(observed):
    return observed["image"].tolist(), int(observed["direction"])


def decoded(row):
    """The numbers that a one-hot view stands for."""
    row = np.asarray(row)
    cells, direction = row[:-4].reshape(7, 7, 21), row[-4:]
    parts = np.split(cells, [11, 17], axis=-1)
    for part in (*parts, direction):
        np.testing.assert_array_equal(part.sum(axis=-1), 1)
    image = np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
    return image.tolist(), int(direction.argmax())


def test_a_task_is_a_layout(family):
    tasks = family.tasks(tf.range(5, dtype=tf.int64))
    family.reset(tasks, 2, tf.constant([0, 0]))
    layouts = [
        e.unwrapped.grid.encode().tobytes() for e in family.pool._vectors[10].envs
    ]
    family.reset(tasks, 2, tf.constant([7, 7]))
    again = [e.unwrapped.grid.encode().tobytes() for e in family.pool._vectors[10].envs]
    assert layouts == again
    assert all(layouts[2 * t] == layouts[2 * t + 1] for t in range(5))
    assert len(set(layouts)) > 2


def test_its_own_limit_is_the_horizon():
    assert MiniGridFamily("MiniGrid-Empty-5x5-v0").horizon == 100
    short = MiniGridFamily("MiniGrid-Empty-5x5-v0", arguments={"max_steps": 9})
    assert short.horizon == 9
    again = MiniGridFamily.from_config(short.get_config())
    assert again.get_config() == short.get_config()


def test_the_goal_terminates_and_pays():
    family = MiniGridFamily("MiniGrid-Empty-5x5-v0")
    tasks = family.tasks(tf.constant([0], tf.int64))
    state, _ = family.reset(tasks, 1, SEED)
    # Two forward, right, two forward.
    for action in (2, 2, 1, 2, 2):
        after = family.step(tasks, state, tf.constant([[action]]), SEED)
        state = after.state
    assert after.terminated.numpy().all() and not after.truncated.numpy().any()
    # As MiniGrid pays: 1 - 0.9 · steps / most.
    np.testing.assert_allclose(after.rewards, [[1 - 0.9 * 5 / 100]], rtol=1e-6)


def test_refuses_what_is_none_of_its_worlds():
    with pytest.raises(ValueError, match="of MiniGrid. Received: a CartPoleEnv"):
        MiniGridFamily("CartPole-v1", horizon=5)
    with pytest.raises(ValueError, match="Did you mean"):
        MiniGridFamily("MiniGrid-Emty-5x5-v0")


def test_says_what_to_install_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(minigrid_family, "is_installed", lambda package: False)
    with pytest.raises(MissingExtraError, match=r'pip install "tfmeta\[games\]"'):
        MiniGridFamily()
