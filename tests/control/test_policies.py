"""Policies of many tasks at once, against one at a time in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.policies import Policy

RNG = np.random.default_rng(0)
SPACES = {
    "discrete": ActionSpace("discrete", 3),
    "continuous": ActionSpace("continuous", 2),
    "bounded": ActionSpace("continuous", 2, low=-0.1, high=0.3),
}


def weights_of(policy, *leading):
    return {
        name: tf.constant(RNG.normal(size=(*leading, *shape)))
        for name, shape in policy.shapes.items()
    }


def by_hand(policy, weights, seen):
    w = {name: part.numpy() for name, part in weights.items()}
    hidden = np.tanh(seen @ w["kernel_0"] + w["bias_0"])
    hidden = np.tanh(hidden @ w["kernel_1"] + w["bias_1"])
    out = hidden @ w["kernel_2"] + w["bias_2"]
    if policy.actions.kind == "discrete":
        return out
    logs = np.maximum(w["log_deviation"], np.log(policy.least_deviation))
    if policy.actions.low is not None:
        out, logs = 0.1 + 0.2 * out, logs + np.log(0.2)
    return np.concatenate([out, np.broadcast_to(logs, out.shape)], -1)


@pytest.mark.parametrize("space", SPACES)
def test_each_task_has_a_policy_of_its_own(space):
    policy = Policy(4, SPACES[space], (5, 6), activation="tanh", least_deviation=0.5)
    weights = weights_of(policy, 3)
    seen = RNG.normal(size=(3, 2, 7, 4))
    found = policy(weights, tf.constant(seen))
    assert found.shape == (3, 2, 7, policy.outputs) and found.dtype == tf.float64
    for task in range(3):
        own = {name: part[task] for name, part in weights.items()}
        wanted = by_hand(policy, own, seen[task])
        np.testing.assert_allclose(found[task], wanted, rtol=1e-10)
        # And one policy for all, of any leading axes.
        np.testing.assert_allclose(policy(own, seen[task]), wanted, rtol=1e-10)
        np.testing.assert_allclose(policy(own, seen[task, 0, 0]), wanted[0, 0])


def test_weights_begin_as_they_should():
    policy = Policy(4, SPACES["bounded"], (50,), initial_deviation=0.7)
    made = {
        name: initializer(policy.shapes[name])
        for name, initializer in policy.initializers(3).items()
    }
    assert list(made) == [
        *("kernel_0", "bias_0", "kernel_1", "bias_1", "log_deviation"),
    ]
    assert 0 < np.abs(made["kernel_0"]).max() <= np.sqrt(6 / 54)
    assert not np.any(made["bias_1"])
    here = policy.distribution(made, tf.zeros([4]))
    np.testing.assert_allclose(here.means, [0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(tf.exp(here.log_deviations), 0.2 * 0.7, rtol=1e-6)
    same = policy.initializers(3)["kernel_1"](policy.shapes["kernel_1"])
    np.testing.assert_array_equal(same, made["kernel_1"])
    other = policy.initializers(4)["kernel_1"](policy.shapes["kernel_1"])
    assert not np.any(other == made["kernel_1"])
