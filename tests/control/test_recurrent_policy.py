"""The recurrent policy against Keras' own unit, step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.experience import Experience
from tfmeta.control.recurrent_policy import RecurrentPolicy

UNITS, TASKS, STEPS = 6, 3, 5
DISCRETE = ActionSpace("discrete", 4)
REAL = ActionSpace("continuous", 2, low=-0.5, high=1.5)


def lived(actions, rng):
    counts = np.array([[5], [3], [0]])
    mask = np.arange(STEPS) < counts
    if actions.kind == "discrete":
        chosen = rng.integers(0, 4, (TASKS, STEPS)).astype(np.int32)
    else:
        chosen = rng.normal(size=(TASKS, STEPS, 2))
    return Experience(
        observations=tf.constant(rng.normal(size=(TASKS, STEPS, 2))),
        actions=tf.constant(chosen),
        rewards=tf.constant(np.where(mask, rng.normal(size=(TASKS, STEPS)), 0)),
        ended=tf.constant(mask & (np.arange(STEPS) == 1)),
        mask=tf.constant(mask),
        log_probabilities=tf.zeros([TASKS, STEPS], tf.float64),
    )


def read_action(actions, chosen):
    if actions.kind == "discrete":
        return np.eye(4)[chosen]
    # In units of half of what lies between the bounds, as the environment clips.
    return (np.clip(chosen, -0.5, 1.5) - 0.5) / 1.0


@pytest.mark.parametrize("actions", [DISCRETE, REAL], ids=["discrete", "real"])
def test_reads_as_the_unit_of_keras_does(actions):
    rng = np.random.default_rng(0)
    policy = RecurrentPolicy(2, actions, UNITS, seed=0, dtype="float64")
    for weight in policy.cell.weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    steps = lived(actions, rng)
    hiddens, after = policy.read(policy.begin(TASKS), steps)
    unit = keras.layers.GRUCell(UNITS, dtype="float64")
    unit.build((None, 2 + actions.size + 2))
    unit.set_weights([weight.numpy() for weight in policy.cell.weights])
    for task, count in enumerate((5, 3, 0)):
        hidden = np.zeros((1, UNITS))
        last = np.zeros(actions.size + 2)
        for step in range(count):
            seen = np.concatenate([steps.observations[task, step], last])[None]
            hidden, _ = unit(seen, hidden)
            np.testing.assert_allclose(hiddens[task, step], hidden[0], atol=1e-12)
            chosen = read_action(actions, steps.actions[task, step].numpy())
            given = [steps.rewards[task, step], float(steps.ended[task, step])]
            last = np.concatenate([chosen, given])
        np.testing.assert_allclose(after["hidden"][task], np.ravel(hidden), atol=1e-12)
        remembered = [after["action"][task], [after["reward"][task]]]
        remembered = np.concatenate([*remembered, [after["ended"][task]]])
        np.testing.assert_allclose(remembered, last, atol=1e-12)


@pytest.mark.parametrize("actions", [DISCRETE, REAL], ids=["discrete", "real"])
def test_step_by_step_is_as_at_once(actions):
    rng = np.random.default_rng(1)
    policy = RecurrentPolicy(2, actions, UNITS, seed=0, dtype="float64")
    steps = lived(actions, rng)
    hiddens, after = policy.read(policy.begin(TASKS), steps)
    memory = policy.begin(TASKS)
    for step in range(STEPS):
        hidden = policy.see(memory, steps.observations[:, step])
        real = steps.mask[:, step]
        np.testing.assert_allclose(hidden[real], hiddens[:, step][real], atol=1e-12)
        memory = policy.remember(
            memory,
            hidden,
            steps.actions[:, step],
            steps.rewards[:, step],
            steps.ended[:, step],
            real,
        )
    for name, part in after.items():
        np.testing.assert_allclose(memory[name], part, atol=1e-12)


def test_real_actions_are_in_the_unit_of_the_environment():
    policy = RecurrentPolicy(2, REAL, UNITS, seed=0, dtype="float64")
    hidden = tf.random.stateless_normal([3, 4, UNITS], [0, 1], dtype=tf.float64)
    found = policy.outputs(hidden).numpy()
    kernel, bias = (weight.numpy() for weight in policy.head.weights)
    np.testing.assert_allclose(
        found[..., :2], 0.5 + 1.0 * (hidden.numpy() @ kernel + bias), atol=1e-12
    )
    np.testing.assert_allclose(found[..., 2:], 0.0, atol=1e-12)


def test_at_first_all_actions_are_nearly_alike():
    policy = RecurrentPolicy(2, DISCRETE, UNITS, seed=0)
    hidden = tf.random.stateless_uniform([100, UNITS], [0, 1], -1, 1)
    chances = tf.nn.softmax(policy.outputs(hidden))
    assert np.abs(chances - 0.25).max() < 0.02


def test_weights_are_a_function_of_the_seed():
    one, same, other = (RecurrentPolicy(2, DISCRETE, UNITS, seed=s) for s in (1, 1, 2))
    for a, b, c in zip(one.weights, same.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.any(a) or np.any(a != c)
