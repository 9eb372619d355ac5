"""Runs whose tasks are environments."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control import Bandits, PolicyMAML
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.control.export import export_policy
from tfmeta.runs.control.plan import make_family, plan_control
from tfmeta.runs.defaults import default_config
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train
from tfmeta.runs.train_command import train_command

SHORT = {
    **{"train_tasks": 3, "epochs": 2, "steps_per_epoch": 2, "validation_episodes": 4},
    "learner_arguments": {"hidden_units": [8], "trajectories": 4},
    "task_arguments": {"horizon": 5},
}
MEASURED = Returns(updates=2, trajectories=3, test_tasks=6)


@pytest.fixture(scope="module")
def config():
    return default_config("control:navigation", {"learner": "maml", **SHORT})


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("control") / "run")
    train(config, folder)
    return folder


def test_short_names_and_defaults(config):
    assert config.task == "control" and config.learner == "policy_maml"
    given = default_config("control:bandits", {"learner": "rl2"})
    assert given.learner == "rl_squared" and given.train_tasks > 1
    # Only what remembers can tell bandits apart.
    assert default_config("control:bandits", {}) == given


def test_another_process_gives_the_same_command(config):
    command = train_command(config)
    assert command is not None
    assert "--dataset control:navigation --learner policy_maml" in command
    assert "--task-argument horizon=5" in command


def test_the_parts_share_no_task(config):
    plan = plan_control(config)
    numbers = [
        {*np.concatenate([plan_of.batch(n)[0]["task_numbers"] for n in range(5)])}
        for plan_of in (plan.training, plan.validation)
    ]
    test = {*range(1000)}
    assert not numbers[0] & numbers[1] and not (numbers[0] | numbers[1]) & test


def test_returns_are_kept_and_are_those_of_the_learner(run):
    learner = load_learner(run)
    assert isinstance(learner, PolicyMAML) and learner.family.horizon == 5
    (found,) = measure(run, learner, MEASURED)
    (again,) = MEASURED.read(run)
    np.testing.assert_array_equal(found.returns, again.returns)
    assert found.returns.shape == (3, 6) and (found.returns < 0).all()
    assert run.trajectories_picture.stat().st_size > 1000
    gain = (found.returns[1] - found.returns[0]).mean()
    assert found.gain(1).mean == pytest.approx(gain)
    (other,) = measure(run, learner, MEASURED, keep=False)
    np.testing.assert_array_equal(found.returns, other.returns)


@pytest.mark.slow
def test_stopped_it_ends_as_if_never_stopped(run, config, tmp_path):
    folder = RunFolder(tmp_path / "stopped")

    class Stop(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, folder, callbacks=[Stop()])
    train(config, folder, resume=True)
    for one, other in zip(
        load_learner(run).weights, load_learner(folder).weights, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_it_is_served_by_tensorflow_alone(run, tmp_path):
    learner = load_learner(run)
    version = export_policy(run, learner, tmp_path / "served")
    served = tf.saved_model.load(str(version)).signatures
    state = served["begin"]()
    tasks = learner.family.tasks(tf.constant([3], tf.int64))
    drawn = learner.roll_out(tasks, None, tf.constant([0, 1]))
    given = {
        name: part[0]
        for name, part in drawn._asdict().items()
        if name != "log_probabilities"
    }
    adapted = served["adapt"](**state, **given)
    expected = learner.adapt(drawn, None)
    assert adapted.keys() == expected.keys()
    for name, part in expected.items():
        np.testing.assert_allclose(adapted[name], part[0], rtol=1e-4, atol=1e-5)
    seen, seed = tf.constant([[0.1, -0.2]]), tf.constant([4, 5])
    answer = served["act"](**adapted, observations=seen, seed=seed)
    outputs = learner.predict_query(expected, seen[None])
    np.testing.assert_allclose(
        answer["distributions"], outputs[0], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        answer["actions"],
        learner.act(expected, seen[None], seed)[0],
        rtol=1e-4,
        atol=1e-4,
    )
    np.testing.assert_array_equal(
        answer["likely_actions"], answer["distributions"][:, :2]
    )
    card = (version / "MODEL_CARD.md").read_text("utf-8")
    assert "To act in tasks of one family (navigation" in card
    assert "classes" not in card.partition("## Intended use")[2]


def test_a_memory_is_served_step_by_step(tmp_path):
    config = default_config(
        "control:bandits",
        {
            **{**SHORT, "learner": "rl2", "task_arguments": {"arms": 3, "horizon": 4}},
            "learner_arguments": {"units": 6, "episodes": 2},
        },
    )
    folder = RunFolder(tmp_path / "run")
    learner = train(config, folder)
    (found,) = measure(folder, learner, MEASURED)
    assert ((found.returns >= 0) & (found.returns <= 4)).all()
    version = export_policy(folder, learner)
    served = tf.saved_model.load(str(version)).signatures
    state, own = served["begin"](), learner.begin(1)
    tasks = learner.family.tasks(tf.constant([1], tf.int64))
    drawn, after = learner.run_trial(tasks, None, tf.constant([0, 1]), trajectories=1)
    for step in range(4):
        state = served["observe"](
            observations=drawn.observations[0, :, step],
            actions=drawn.actions[0, :, step],
            rewards=drawn.rewards[0, :, step],
            episode_ended=tf.constant([step == 3]),
            **state,
        )
    assert own.keys() == state.keys()
    np.testing.assert_allclose(state["hidden"], after["hidden"][0], atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset": "control:nowhere"}, "`task` must be one of navigation, bandits"),
        ({"task_arguments": {"lenght": 3}}, "`task_argument` must be one of horizon"),
        ({"task_arguments": {"horizon": 0}}, "`horizon` must be"),
        ({"learner_arguments": {"ways": 5}}, "ways"),
        ({"dataset": "control:gym:NoSuchThing-v0"}, "NoSuchThing"),
        ({"dataset": "control:tfmeta.control:PolicyMAML"}, "`task` must name a class"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(config, changed, said):
    values = {**config.to_json(), **changed}
    with pytest.raises((ValueError, TypeError), match=said):
        plan_control(TrainConfig.from_json(values))


def test_learners_of_other_tasks_are_refused():
    with pytest.raises(ValueError, match="must be one of policies .*: maml"):
        default_config("control:navigation", {"learner": "prototypical"})
    with pytest.raises(ValueError, match="`ways` must be left out for control"):
        default_config("control:navigation", {"ways": 5})
    with pytest.raises(ValueError, match="`task_arguments` must be left out"):
        default_config("glyphs", {"task_arguments": {"horizon": 5}})


def test_a_family_is_made_with_its_arguments():
    config = TrainConfig(dataset="control:bandits", task_arguments={"arms": 7})
    family = make_family(config)
    assert isinstance(family, Bandits) and family.arms == 7
