"""Environments of Gymnasium in the graph, against the same stepped by hand."""

import importlib.util
import pathlib

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control import (
    ControlTasks,
    PolicyMAML,
    returns_by_update,
    varied_environments,
)
from tfmeta.control.environment_errors import environment_errors
from tfmeta.control.gymnasium_family import GymnasiumFamily
from tfmeta.extras import MissingExtraError

_path = pathlib.Path(__file__).with_name("made_environments.py")
_spec = importlib.util.spec_from_file_location("made_environments", _path)
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

VARIED = {"length": (0.25, 1.0), "gravity": (5.0, 15.0), "masspole": (0.05, 0.5)}
SEED = tf.constant([3, 4])


@pytest.fixture(scope="module")
def cart_pole():
    return GymnasiumFamily("CartPole-v1", varied=VARIED, horizon=30, seed=1)


def made(name, **options):
    return GymnasiumFamily(f"tfmeta_tests/{name}-v0", **options)


def acted(family, numbers, actions, trajectories):
    """All steps of actions `(steps, tasks, trajectories)`, each by a graph."""
    tasks = family.tasks(tf.constant(numbers, tf.int64))
    step = tf.function(family.step)
    state, first = tf.function(family.reset)(tasks, trajectories, SEED)
    found = []
    for chosen in actions:
        after = step(tasks, state, tf.constant(chosen), SEED)
        state = after.state
        found.append([part.numpy() for part in after[1:]])
    return first.numpy(), found


def test_tasks_are_a_function_of_their_number(cart_pole):
    some = cart_pole.tasks(tf.constant([0, 7, 5], tf.int64))
    again = cart_pole.tasks(tf.constant([5], tf.int64))
    assert set(some) == {*VARIED, "reset_seed"}
    for name, (low, high) in VARIED.items():
        assert some[name][2] == again[name][0]
        assert np.all((some[name] >= low) & (some[name] <= high))
    many = tf.function(cart_pole.tasks)(tf.range(400, dtype=tf.int64))
    # A number does not follow another, and covers its range.
    assert abs(np.corrcoef(many["length"], many["gravity"])[0, 1]) < 0.2
    assert np.ptp(many["length"]) > 0.7
    assert len(np.unique(many["reset_seed"])) == 400
    other = GymnasiumFamily("CartPole-v1", varied=VARIED, horizon=30, seed=2)
    assert other.tasks(tf.constant([5], tf.int64))["length"] != again["length"]


def test_what_varies_alone_does_not_depend_on_what_else_does(cart_pole):
    alone = GymnasiumFamily(
        "CartPole-v1", varied={"length": VARIED["length"]}, horizon=30, seed=1
    )
    number = tf.constant([3], tf.int64)
    assert alone.tasks(number)["length"] == cart_pole.tasks(number)["length"]


def test_is_the_cart_pole_of_gymnasium_with_these_numbers(cart_pole):
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 2, (30, 2, 3)).astype(np.int32)
    numbers = [4, 9]
    first, found = acted(cart_pole, numbers, actions, 3)
    tasks = cart_pole.tasks(tf.constant(numbers, tf.int64))
    seeds = np.random.SeedSequence([3, 4]).generate_state(6)
    for row in range(6):
        task, trajectory = divmod(row, 3)
        plain = gymnasium.make("CartPole-v1", max_episode_steps=30).unwrapped
        for name in VARIED:
            setattr(plain, name, float(tasks[name][task]))
        # As the constructor has it, of the numbers that there are.
        plain.total_mass = plain.masspole + plain.masscart
        plain.polemass_length = plain.masspole * plain.length
        seen, _ = plain.reset(seed=int(seeds[row]))
        np.testing.assert_array_equal(first[task, trajectory], seen)
        over = False
        for step in range(30):
            seen_there, reward, terminated, truncated = (
                part[task, trajectory] for part in found[step]
            )
            if over:
                assert reward == 0
                np.testing.assert_array_equal(seen_there, seen)
                assert not truncated
                continue
            seen, paid, ends, *_ = plain.step(int(actions[step, task, trajectory]))
            np.testing.assert_array_equal(seen_there, seen)
            assert (reward, terminated) == (paid, ends)
            assert truncated == (step == 29)
            over = ends
    # Some fell, or nothing was shown of it.
    assert any(step[2].any() for step in found)


def test_numbers_reach_what_the_constructor_derives():
    maker = varied_environments.VariedMaker("CartPole-v1", tuple(VARIED), 10, {})
    changed = maker.make({"length": 0.8, "masspole": 0.3, "gravity": 5.0}).unwrapped
    assert (changed.length, changed.masspole, changed.gravity) == (0.8, 0.3, 5.0)
    assert changed.polemass_length == 0.3 * 0.8
    assert changed.total_mass == 0.3 + 1.0
    # Behind the constructor it is one as any other.
    assert type(changed) is type(gymnasium.make("CartPole-v1").unwrapped)
    changed.length = 2.0
    assert changed.length == 2.0


def test_attributes_of_the_class_and_arguments_vary_as_well():
    acrobot = varied_environments.VariedMaker("Acrobot-v1", ("LINK_MASS_2",), 10, {})
    assert acrobot.make({"LINK_MASS_2": 2.5}).unwrapped.LINK_MASS_2 == 2.5
    assert gymnasium.make("Acrobot-v1").unwrapped.LINK_MASS_2 == 1.0
    pendulum = varied_environments.VariedMaker("Pendulum-v1", ("g", "m"), 10, {})
    changed = pendulum.make({"g": 3.0, "m": 2.0}).unwrapped
    assert (changed.g, changed.m) == (3.0, 2.0)


def test_environments_are_made_once_and_kept(cart_pole):
    actions = np.zeros((2, 2, 2), np.int32)
    acted(cart_pole, [0, 1], actions, 2)
    vector = cart_pole.pool._vectors[4]
    before = list(vector.envs)
    acted(cart_pole, [0, 2], actions, 2)
    after = cart_pole.pool._vectors[4].envs
    # Only those of the other task are others.
    assert [a is b for a, b in zip(before, after, strict=True)] == [
        True,
        True,
        False,
        False,
    ]


def test_is_a_function_of_the_seed(cart_pole):
    tasks = cart_pole.tasks(tf.constant([0, 1], tf.int64))
    one, same, other = (
        cart_pole.reset(tasks, 2, tf.constant(seed))[1].numpy()
        for seed in ([1, 2], [1, 2], [2, 1])
    )
    np.testing.assert_array_equal(one, same)
    assert np.all(np.any(one != other, axis=-1))
    assert len(np.unique(one[..., 0])) == 4


def test_all_resets_of_a_task_may_be_one():
    family = made("Made", one_reset=True)
    tasks = family.tasks(tf.range(6, dtype=tf.int64))
    _, one = family.reset(tasks, 3, tf.constant([0, 0]))
    _, other = family.reset(tasks, 3, tf.constant([5, 5]))
    np.testing.assert_array_equal(one, other)
    assert np.all(one == one[:, :1]) and len(np.unique(one[:, 0])) > 3


def test_a_state_is_gone_on_from_once(cart_pole):
    tasks = cart_pole.tasks(tf.constant([0], tf.int64))
    state, _ = cart_pole.reset(tasks, 2, SEED)
    actions = tf.zeros([1, 2], tf.int32)
    cart_pole.step(tasks, state, actions, SEED)
    with (
        pytest.raises(ValueError, match="`state` must be that of the last step") as e,
        environment_errors(),
    ):
        cart_pole.step(tasks, state, actions, SEED)
    assert "\n" not in str(e.value)


def test_steps_of_a_loop_are_in_order():
    family = made("Made")

    @tf.function
    def places():
        tasks = family.tasks(tf.constant([0], tf.int64))
        state, first = family.reset(tasks, 1, SEED)
        last = first
        for _ in tf.range(20):
            # One place further each, -1 being the first action.
            after = family.step(tasks, state, tf.constant([[2]]), SEED)
            tf.debugging.assert_equal(after.observations, last + 1)
            state, last = after.state, after.observations
        return first, last

    first, last = places()
    assert last == first + 20


def test_one_of_several_is_one_hot_and_actions_are_clipped():
    family = made("States")
    assert family.observation_size == 5
    assert family.actions.kind == "continuous" and family.actions.size == 2
    assert (family.actions.low, family.actions.high) == (-1.0, 2.0)
    actions = np.array([[[[0.5, 1.5], [-9.0, 9.0]]]], np.float32)
    first, found = acted(family, [0], actions, 2)
    np.testing.assert_array_equal(first[0, 0], np.eye(5)[2])
    np.testing.assert_array_equal(found[0][0][0, 1], np.eye(5)[4])
    np.testing.assert_allclose(found[0][1], [[6.5, -8.0]])


def test_termination_is_no_truncation():
    family = made("Made", horizon=10)
    # All go left until they are below 0, if 10 steps are enough.
    actions = np.full((10, 8, 1), 0, np.int32)
    first, found = acted(family, list(range(8)), actions, 1)
    ends = np.stack([step[2][:, 0] for step in found])
    stops = np.stack([step[3][:, 0] for step in found])
    for task, start in enumerate(first[:, 0, 0].astype(int)):
        expected = np.zeros(10, bool)
        if start < 10:
            expected[start:] = True
        np.testing.assert_array_equal(ends[:, task], expected)
        # Gymnasium's limit truncates at the last step whatever else is the case there.
        np.testing.assert_array_equal(
            stops[:, task], (np.arange(10) == 9) & (start >= 9)
        )


def test_a_limit_of_the_registry_is_the_most():
    assert made("Made").horizon == 50
    assert made("Made", horizon=70).horizon == 50
    assert made("Made", horizon=7).horizon == 7


def test_context_is_of_the_order_of_1(cart_pole):
    tasks = tf.function(cart_pole.tasks)(tf.range(50, dtype=tf.int64))
    seen = cart_pole.context(tasks).numpy()
    assert seen.shape == (50, 3) and np.abs(seen).max() <= 1 and np.ptp(seen) > 1.5
    assert made("Made").context({"reset_seed": tf.zeros([4])}).shape == (4, 0)


def test_is_made_again_from_its_configuration(cart_pole):
    written = keras.saving.serialize_keras_object(cart_pole)
    again = keras.saving.deserialize_keras_object(written)
    assert again.get_config() == cart_pole.get_config()
    number = tf.constant([2], tf.int64)
    assert again.tasks(number)["length"] == cart_pole.tasks(number)["length"]


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("CartPol-v1", {}, "Did you mean: `CartPole`"),
        ("CartPole-v9", {}, "It provides versioned environments"),
        ("no_such_module:CartPole-v1", {}, "No module named 'no_such_module'"),
        ("tfmeta_tests/NoFixedObservation-v0", {}, "fixed shape.*Received: Sequence"),
        ("tfmeta_tests/NoFixedAction-v0", {}, "fixed shape.*Received: Sequence"),
        (
            "CartPole-v1",
            {"varied": {"lenght": (0, 1)}},
            "attributes .*length.*Received: 'lenght'",
        ),
        (
            "tfmeta_tests/DrawnAnew-v0",
            {"varied": {"slope": (0, 1)}},
            "sets slope anew by itself",
        ),
        ("CartPole-v1", {"varied": {"length": (2, 1)}}, "a pair .least, greatest."),
        (
            "CartPole-v1",
            {"varied": {"length": (0, float("nan"))}},
            "a pair .least, greatest.",
        ),
        ("CartPole-v1", {"horizon": 0}, "`horizon` must be an int of at least 1"),
    ],
)
def test_refuses_in_one_line(name, options, said):
    with pytest.raises(ValueError, match=said) as caught:
        GymnasiumFamily(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, said",
    [
        ("NaNReward", "rewards of an environment must be finite. Received: nan"),
        ("InfiniteObservation", "observations of an environment must be finite.*inf"),
    ],
)
def test_what_is_not_finite_is_refused_in_the_graph(name, said):
    family = made(name)
    with pytest.raises(ValueError, match=said) as caught, environment_errors():
        acted(family, [0], np.ones((1, 1, 1), np.int32), 1)
    assert "\n" not in str(caught.value)


def test_training_ends_in_the_line_of_the_environment():
    family = made("NaNReward")
    learner = PolicyMAML(family, hidden_units=(4,), trajectories=2, inner_steps=0)
    learner.compile()
    with pytest.raises(ValueError, match="rewards of an environment") as caught:
        learner.fit(ControlTasks(family, tasks=2), steps_per_epoch=1, verbose=0)
    assert "\n" not in str(caught.value)


def test_a_policy_acts_before_and_after_its_update(cart_pole):
    learner = PolicyMAML(cart_pole, hidden_units=(4,), trajectories=2, seed=0)
    learner.compile()
    data = ControlTasks(cart_pole, tasks=2)
    history = learner.fit(data, steps_per_epoch=2, verbose=0).history
    assert all(0 < mean <= 30 for mean in history["return_after"])
    found = returns_by_update(learner, range(2), updates=1, trajectories=2)
    assert found.shape == (2, 2) and ((found > 0) & (found <= 30)).all()


def test_says_what_to_install_where_gymnasium_is_missing(monkeypatch):
    monkeypatch.setattr(varied_environments, "is_installed", lambda package: False)
    with pytest.raises(MissingExtraError, match=r'pip install "tfmeta\[control\]"'):
        GymnasiumFamily("CartPole-v1")
