"""The learner: verbs, training in the graph, files, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.callbacks import StopAtNonFinite
from tfmeta.control import (
    Bandits,
    ControlTasks,
    Navigation,
    OracleFamily,
    PolicyMAML,
    oracle_policy,
    pretrained_policy,
    returns_by_update,
)
from tfmeta.control.rollouts import returns

SEED = tf.constant([1, 2], tf.int32)
NUMBERS = np.arange(4)


def small(family=None, **arguments):
    family = family or Navigation(horizon=5)
    return PolicyMAML(family, **{"hidden_units": (8,), "trajectories": 4, **arguments})


def test_an_update_is_a_step_along_the_policy_gradient():
    learner = small(inner_learning_rate=0.3, baseline="none", gamma=0.9)
    tasks = learner.family.tasks(tf.constant(NUMBERS))
    drawn = learner.roll_out(tasks, None, SEED)
    state = learner.adapt(drawn, None)
    again = learner.adapt(drawn, None, state=state, learning_rate=0.1)
    rewards = drawn.rewards.numpy()
    for task in range(4):
        to_go = np.zeros((4, 5))
        for step in range(5):
            powers = 0.9 ** np.arange(5 - step)
            to_go[:, step] = (rewards[task][:, step:] * powers).sum(1)
        real = drawn.mask[task].numpy()
        advantages = (to_go - to_go[real].mean()) / to_go[real].std()
        for before, after, rate in (
            (learner.initial_state(4), state, 0.3),
            (state, again, 0.1),
        ):
            own = {name: tf.Variable(part[task]) for name, part in before.items()}
            with tf.GradientTape() as tape:
                here = learner.policy.distribution(own, drawn.observations[task])
                logs = here.log_prob(drawn.actions[task])
                loss = -tf.reduce_mean((logs * advantages)[real])
            for name, gradient in tape.gradient(loss, own).items():
                wanted = own[name] - rate * gradient
                np.testing.assert_allclose(
                    after[name][task], wanted, rtol=1e-4, atol=1e-5
                )


def test_the_verbs_have_the_form_that_they_say():
    for learner, outputs in ((small(), 4), (small(Bandits(arms=3)), 3)):
        family = learner.family
        tasks = family.tasks(tf.constant(NUMBERS))
        drawn = learner.roll_out(tasks, None, SEED)
        state = learner.adapt(drawn, None)
        for name, spec in learner.state_spec().items():
            assert state[name].shape == (4, *spec.shape)
        assert learner.predict_query(state, drawn.observations).shape == (
            *drawn.mask.shape,
            outputs,
        )
        actions = learner.act(state, drawn.observations[:, :, 0], SEED)
        assert actions.shape == (4, 4, *family.actions.shape)
        assert actions.dtype == family.actions.dtype
        inputs = {"task_numbers": NUMBERS, "query": drawn.observations[:, 0]}
        assert learner(inputs).shape == (4, family.horizon, outputs)
        assert learner.example_spec().shape == (family.observation_size,)


@pytest.mark.parametrize(
    "arguments",
    [{}, pytest.param({"outer": "policy_gradient"}, marks=pytest.mark.slow)],
)
def test_it_is_trained_saved_and_loaded(arguments, tmp_path):
    learner = small(sampling_correction=True, **arguments)
    learner.compile(keras.optimizers.Adam(1e-2))
    tasks = ControlTasks(learner.family, tasks=3)
    before = learner.get_weights()
    kept = learner.fit(tasks.as_dataset(steps=2), epochs=2, verbose=0).history
    assert set(kept) == {"loss", "return_before", "return_after", "kl", "improvement"}
    assert all(np.isfinite(values).all() for values in kept.values())
    np.testing.assert_allclose(kept["loss"], -np.array(kept["return_after"]))
    changed = [
        np.any(a != b) for a, b in zip(before, learner.get_weights(), strict=True)
    ]
    assert all(changed)
    if not arguments:
        assert 0 < kept["kl"][-1] <= learner.max_kl and kept["improvement"][-1] > 0
    learner.save(tmp_path / "policy.keras")
    loaded = keras.saving.load_model(tmp_path / "policy.keras")
    assert loaded.get_config() == learner.get_config()
    # It goes on with the same trajectories and ends at the same weights.
    data = tasks.as_dataset(start=4, steps=1)
    for each in (learner, loaded):
        each.fit(data, verbose=0)
    for ours, theirs in zip(learner.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    if arguments:
        assert np.isfinite(loaded.evaluate(tasks, steps=1, verbose=0)).all()


def test_training_makes_the_return_after_an_update_larger():
    family = Navigation(horizon=10)
    learner = small(family, hidden_units=(16,), trajectories=10, max_kl=0.05)
    learner.compile()
    test = ControlTasks(family, tasks=40, part="test").batch(0)[0]["task_numbers"]
    before = returns_by_update(learner, test, updates=1)
    learner.fit(ControlTasks(family, tasks=10), steps_per_epoch=30, verbose=0)
    after = returns_by_update(learner, test, updates=1)
    # It walks at random at first, about 4 from the goal in all.
    assert after[1].mean() > before[1].mean() + 0.5
    assert after[1].mean() > after[0].mean() + 0.3


def test_returns_by_update_are_of_trajectories_of_their_own():
    learner = small()
    found = returns_by_update(learner, NUMBERS, updates=2, learning_rates=[0.2, 0.1])
    assert found.shape == (3, 4) and found.dtype == np.float64
    # A task is what it is in whatever company, a trajectory of its place.
    tasks = learner.family.tasks(tf.constant(NUMBERS))
    root = tf.constant([0, 0x6576])
    state = None
    for number in range(3):
        at = tf.random.fold_in(root, number, alg="philox")
        drawn = learner.roll_out(tasks, state, at, trajectories=20)
        np.testing.assert_allclose(
            found[number], returns(drawn).numpy().mean(1), rtol=1e-4
        )
        if number < 2:
            rate = [0.2, 0.1][number]
            state = learner.adapt(drawn, None, state=state, learning_rate=rate)
    other = returns_by_update(learner, NUMBERS, updates=2, seed=1)
    assert not np.any(other == found)


@keras.saving.register_keras_serializable(package="test_policy_maml")
class Broken(Navigation):
    """What is given is no number."""

    def step(self, tasks, state, actions, seed):
        step = super().step(tasks, state, actions, seed)
        return step._replace(rewards=step.rewards * float("nan"))


@pytest.mark.parametrize(
    "outer", [pytest.param("trpo", marks=pytest.mark.slow), "policy_gradient"]
)
def test_a_step_with_rewards_that_are_none_is_refused(outer):
    learner = small(Broken(horizon=3), outer=outer)
    learner.compile()
    tasks = ControlTasks(learner.family, tasks=2)
    before = learner.get_weights()
    with pytest.raises(ValueError, match="loss of PolicyMAML must be finite"):
        learner.fit(tasks, steps_per_epoch=1, verbose=0, callbacks=[StopAtNonFinite()])
    *same, iterations = learner.get_weights()
    assert iterations == 1
    for ours, theirs in zip(same, before[:-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="`returns` must be finite"):
        returns_by_update(learner, NUMBERS, updates=0)


def test_baselines_know_all_or_nothing_of_the_task(tmp_path):
    family = Navigation(horizon=4)
    options = {"hidden_units": (8,), "trajectories": 4}
    pretrained, oracle = (
        make(family, **options) for make in (pretrained_policy, oracle_policy)
    )
    assert oracle.family.observation_size == 4
    tasks = family.tasks(tf.constant(NUMBERS))
    drawn = oracle.roll_out(tasks, None, SEED)
    context = family.context(tasks).numpy()[:, None, None]
    np.testing.assert_allclose(
        drawn.observations[..., 2:], np.broadcast_to(context, (4, 4, 4, 2))
    )
    for learner in (pretrained, oracle):
        assert learner.inner_steps == 0
    oracle.compile()
    kept = oracle.fit(ControlTasks(family, tasks=3), steps_per_epoch=2, verbose=0)
    assert kept.history["return_before"] == kept.history["return_after"]
    assert 0 < kept.history["kl"][0] <= 0.01
    oracle.save(tmp_path / "oracle.keras")
    loaded = keras.saving.load_model(tmp_path / "oracle.keras")
    assert isinstance(loaded.family, OracleFamily)
    np.testing.assert_allclose(
        returns_by_update(loaded, NUMBERS, updates=1),
        returns_by_update(oracle, NUMBERS, updates=1),
        rtol=1e-5,
    )


def test_tasks_of_training_are_none_of_a_test():
    family = Navigation()
    drawn = {}
    for part in ("train", "test"):
        tasks = ControlTasks(family, tasks=50, seed=3, part=part)
        batches = [x["task_numbers"].numpy() for (x,) in tasks.as_dataset(steps=3)]
        np.testing.assert_array_equal(batches[1], tasks.batch(1)[0]["task_numbers"])
        (later,) = next(iter(tasks.as_dataset(start=2)))
        np.testing.assert_array_equal(batches[2], later["task_numbers"])
        drawn[part] = set(np.concatenate(batches))
        assert len(drawn[part]) == 150
        other = ControlTasks(family, tasks=50, seed=4, part=part).batch(0)[0]
        assert not drawn[part] & set(other["task_numbers"].numpy())
    assert max(drawn["test"]) < 2**40 <= min(drawn["train"])
    assert tasks.describe()["part"] == "test"


@pytest.mark.parametrize(
    "make, word",
    [
        (lambda: small(outer="ppo"), "`outer`"),
        (lambda: small().compile(loss="mse"), "`loss`"),
        (lambda: small().compile(metrics=["accuracy"]), "`metrics`"),
        (lambda: small(gamma=1.5), "`gamma`"),
        (lambda: small(max_kl=0.0), "`max_kl`"),
        (lambda: small(inner_steps=-1), "`inner_steps`"),
        (lambda: small(hidden_units=(0,)), "`hidden_units`"),
        (lambda: small(baseline="mean"), "`baseline`"),
        (lambda: small()({"query": tf.zeros([1, 2])}), "task_numbers"),
        (lambda: small()({"task_numbers": tf.zeros([3])}), "task_numbers"),
        (lambda: ControlTasks(Navigation(), part="val"), "`part`"),
        (
            lambda: returns_by_update(small(), NUMBERS, learning_rates=[0.1]),
            "`learning_rates`",
        ),
    ],
)
def test_wrong_arguments_are_named(make, word):
    with pytest.raises(ValueError, match=word):
        make()
