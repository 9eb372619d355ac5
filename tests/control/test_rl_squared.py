"""RL²: its gradient by differences, what it remembers, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.bandits import Bandits
from tfmeta.control.control_tasks import ControlTasks
from tfmeta.control.distributions import distribution_of_outputs
from tfmeta.control.experience import experience_of
from tfmeta.control.gymnasium_family import GymnasiumFamily
from tfmeta.control.navigation import Navigation
from tfmeta.control.rl_squared import RL2
from tfmeta.finite import all_finite

SEED = tf.constant([1, 2])


def numbers_of(learner, tasks):
    return ControlTasks(learner.family, tasks=tasks)


def trial(learner, tasks):
    @tf.function
    def act():
        parameters = learner.family.tasks(tf.range(tasks, dtype=tf.int64))
        return learner.run_trial(parameters, None, SEED)

    return act()


def small(family=None, **options):
    options = {"episodes": 2, "units": 8, "seed": 0, **options}
    return RL2(family or Bandits(arms=3, horizon=4), **options)


@pytest.fixture(scope="module")
def navigating():
    """A learner of real actions, and what it did; an episode may end before another."""
    learner = small(Navigation(horizon=4, goal_range=0.05), dtype="float64")
    return learner, *trial(learner, 30)


@pytest.fixture(scope="module")
def pulling():
    learner = small(dtype="float64")
    return learner, *trial(learner, 5)


@pytest.mark.parametrize("acting", ["navigating", "pulling"])
def test_what_a_trial_left_is_what_reading_it_leaves(acting, request):
    learner, trajectories, memory = request.getfixturevalue(acting)
    read = learner.adapt(trajectories, None)
    for name, part in memory.items():
        np.testing.assert_allclose(read[name], part, atol=1e-6)
    lengths = np.sum(trajectories.mask, axis=2)
    assert np.all(lengths == 4) == (acting == "pulling")


@pytest.mark.parametrize("acting", ["navigating", "pulling"])
def test_log_probabilities_are_those_that_are_recomputed(acting, request):
    learner, trajectories, _ = request.getfixturevalue(acting)
    lived = experience_of(trajectories)
    hiddens, _ = learner.policy.read(learner.begin(len(lived.rewards)), lived)
    found = distribution_of_outputs(
        learner.family.actions, learner.policy.outputs(hiddens)
    ).log_prob(
        tf.cast(lived.actions, "float64")
        if learner.family.actions.shape
        else lived.actions
    )
    np.testing.assert_allclose(
        found[lived.mask], lived.log_probabilities[lived.mask], atol=1e-6
    )


def test_reading_goes_on_from_a_state(pulling):
    learner, trajectories, _ = pulling
    at_once = learner.adapt(trajectories, None)
    first, second = (
        type(trajectories)(*(part[:, e : e + 1] for part in trajectories))
        for e in range(2)
    )
    in_two = learner.adapt(second, None, state=learner.adapt(first, None))
    one_by_one = learner.begin(5)
    lived = experience_of(trajectories)
    for step in range(8):
        one_by_one = learner.observe(
            one_by_one,
            lived.observations[:, step],
            lived.actions[:, step],
            lived.rewards[:, step],
            lived.ended[:, step],
        )
    for name, part in at_once.items():
        np.testing.assert_allclose(in_two[name], part, atol=1e-12)
        np.testing.assert_allclose(one_by_one[name], part, atol=1e-12)


def test_queries_are_answered_each_for_itself(pulling):
    learner, trajectories, _ = pulling
    state = learner.adapt(trajectories, None)
    query = tf.random.stateless_normal([5, 4, 1], SEED, dtype=tf.float64)
    logits = learner.predict_query(state, query)
    assert logits.shape == (5, 4, 3)
    for place in range(4):
        hidden = learner.policy.see(state, query[:, place])
        np.testing.assert_allclose(
            logits[:, place], learner.policy.outputs(hidden), atol=1e-12
        )


@pytest.mark.parametrize("acting", ["navigating", "pulling"])
def test_the_gradient_is_that_of_central_differences(acting, request):
    learner, trajectories, _ = request.getfixturevalue(acting)
    lived = experience_of(trajectories)
    # Off from where it acted, so that ratios are not 1 and some are clipped. Values
    # are 0 whatever was read: advantages, which are held fast, do not move.
    rng = np.random.default_rng(0)
    fixed = learner.policy.value_head.weights
    moved = [w for w in learner.weights if not any(w is other for other in fixed)]
    for weight in fixed:
        weight.assign(tf.zeros_like(weight))
    for weight in moved:
        weight.assign_add(rng.normal(scale=0.3, size=weight.shape))

    @tf.function
    def slopes():
        with tf.GradientTape() as tape:
            loss, _ = learner.trial_loss(lived)
        return loss, tape.gradient(loss, [w.value for w in moved])

    _, gradients = slopes()
    for weight, gradient in zip(moved, gradients, strict=True):
        direction = rng.normal(size=weight.shape)
        before, eps, losses = weight.numpy(), 1e-6, []
        for sign in (1, -1):
            weight.assign(before + sign * eps * direction)
            losses.append(float(slopes()[0]))
        weight.assign(before)
        slope = (losses[0] - losses[1]) / (2 * eps)
        assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(
            slope, rel=1e-5, abs=1e-8
        )


@pytest.mark.slow
def test_learns_to_find_the_better_arm():
    # Four pulls of two arms: 2 by chance, at best 2.27.
    learner = RL2(
        Bandits(arms=2, horizon=4),
        episodes=1,
        units=16,
        gae_lambda=0.3,
        updates=4,
        entropy_weight=0.0,
        seed=0,
    )
    learner.compile(keras.optimizers.Adam(0.01))
    history = learner.fit(
        numbers_of(learner, 256), steps_per_epoch=25, epochs=2, verbose=0
    )
    assert set(history.history) == {"loss", "return_after", "entropy"}
    found = learner.evaluate(
        numbers_of(learner, 2000), steps=1, verbose=0, return_dict=True
    )
    again = learner.evaluate(
        numbers_of(learner, 2000), steps=1, verbose=0, return_dict=True
    )
    assert found["return_after"] == again["return_after"] > 2.12
    assert np.isfinite(list(found.values())).all()


def test_is_a_function_of_its_seed():
    weights = []
    for _ in range(2):
        learner = small(updates=1)
        learner.compile(keras.optimizers.SGD(0.1))
        learner.fit(numbers_of(learner, 4), steps_per_epoch=2, verbose=0)
        weights.append(np.concatenate([w.numpy().ravel() for w in learner.weights]))
    np.testing.assert_array_equal(*weights)
    other = small(seed=1)
    for stream in (0, 1):
        assert np.any(learner.seed_of(stream, 5) != other.seed_of(stream, 5))
        assert np.any(learner.seed_of(stream, 5) != learner.seed_of(stream, 5 + 2**32))
    assert np.any(learner.seed_of(0, 5) != learner.seed_of(1, 5))


def test_comes_back_from_a_file(tmp_path):
    learner = small(Navigation(horizon=3), gae_lambda=0.5, updates=1)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(numbers_of(learner, 4), steps_per_epoch=1, verbose=0)
    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    assert again.get_config() == learner.get_config()
    one, other = (trial(who, 3)[0] for who in (learner, again))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.optimizer.iterations == 1
    again.fit(numbers_of(learner, 4), steps_per_epoch=1, verbose=0)


def test_trains_in_environments_of_gymnasium():
    family = GymnasiumFamily(
        "CartPole-v1", varied={"length": (0.3, 0.9)}, horizon=6, seed=0
    )
    learner = small(family, updates=1)
    learner.compile(keras.optimizers.Adam(1e-3))
    history = learner.fit(numbers_of(learner, 4), steps_per_epoch=2, verbose=0)
    # Nothing falls in six steps, of two episodes.
    assert history.history["return_after"] == [12.0]
    assert all_finite(learner.weights)


def test_a_step_that_is_not_finite_is_refused():
    learner = small(updates=1)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.policy.cell.bias.assign(np.full((2, 24), np.nan))
    before = [weight.numpy() for weight in learner.weights]
    history = learner.fit(numbers_of(learner, 4), steps_per_epoch=1, verbose=0)
    assert np.isnan([value for (value,) in history.history.values()]).all()
    for weight, was in zip(learner.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_states_are_as_declared():
    learner = small()
    spec = learner.state_spec(3)
    for name, part in learner.begin(2).items():
        assert spec[name].is_compatible_with(part[0])
    assert learner.fixed_ways == 3 and learner.example_spec().shape == (1,)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"episodes": 0}, "`episodes` must be an int of at least 1"),
        ({"gamma": 1.5}, "`gamma` must be from 0 to 1"),
        ({"gae_lambda": float("nan")}, "`gae_lambda` must be from 0 to 1"),
        ({"clip": -1.0}, "`clip` must be above 0"),
        ({"value_weight": -1.0}, "`value_weight` must be at least 0"),
    ],
)
def test_refuses_in_one_line(options, said):
    with pytest.raises(ValueError, match=said):
        small(**options)


def test_refuses_a_loss_and_a_foreign_state():
    learner = small()
    with pytest.raises(ValueError, match="`loss` must be None"):
        learner.compile("adam", loss="mse")
    with pytest.raises(ValueError, match="`inputs.*must be int64"):
        learner.check_inputs({"numbers": 1})
    with pytest.raises(ValueError, match="`state` must be what `adapt`, `begin`"):
        learner.predict_query({"hidden": tf.zeros([1, 8])}, tf.zeros([1, 1, 1]))
