"""A learner of standardized numbers in the units of the data."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.datasets.task_table import TaskTable
from tfmeta.encoders import MLP
from tfmeta.episodes import TaskEpisodes
from tfmeta.learners import MAML, PrototypicalNetwork, StandardizedLearner

FORM = {"shots": 5, "queries": 6, "tasks": 3}


def make_table(scale=1.0, offset=0.0):
    """Two features, one of them a time in seconds, and two targets."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) * [1, 3600] + [0, 1.7e9]
    z = (x - [0, 1.7e9]) / [1, 3600]
    y = np.stack([z.sum(axis=1), z[:, 0] ** 2], axis=1)
    return TaskTable.from_arrays(
        "toy", x, scale * y + offset, np.repeat([f"t{n}" for n in range(15)], 20)
    )


@pytest.fixture(scope="module")
def inside():
    return MAML(
        MLP((2,), units=(8,), seed=0),
        2,
        task="regression",
        inner_learning_rate=0.1,
        seed=0,
    )


@pytest.fixture(scope="module")
def table():
    return make_table(scale=2e5, offset=1e6)


@pytest.fixture(scope="module")
def standardized(inside, table):
    return StandardizedLearner(inside, *table.standardization())


@pytest.fixture(scope="module")
def expected(inside, table):
    """Inputs in units of the data, and what is predicted for them."""
    by = table.standardization()
    inputs, _ = TaskEpisodes(table.standardized(by), **FORM).batch(0)
    found = inside.episode_logits(inputs).numpy().astype(np.float64)
    raw, _ = TaskEpisodes(table, **FORM).batch(0)
    return raw, by.target_mean + by.target_scale * found


def test_predictions_are_in_units_of_the_targets(standardized, expected):
    inputs, answers = expected
    assert standardized.task == "regression" and standardized.fixed_ways == 2
    found = standardized.episode_logits(inputs)
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found, answers, rtol=1e-6)
    state = standardized.adapt(inputs["support"], inputs["support_labels"])
    for predict in (standardized.predict_query, standardized.predict_each_query):
        np.testing.assert_allclose(predict(state, inputs["query"]), answers, rtol=1e-6)
    np.testing.assert_allclose(standardized(inputs), answers, rtol=1e-6)
    longer = standardized.adapt(
        inputs["support"], inputs["support_labels"], state=state
    )
    assert not np.array_equal(longer["head_bias"], state["head_bias"])


def test_units_change_nothing(inside, expected):
    """The same data in other units give the same predictions in those."""
    inputs, answers = expected
    other = make_table(scale=2.0, offset=0.0)
    learner = StandardizedLearner(inside, *other.standardization())
    raw, _ = TaskEpisodes(other, **FORM).batch(0)
    np.testing.assert_allclose(
        learner.episode_logits(raw), (answers - 1e6) / 1e5, atol=1e-5
    )


def test_it_is_saved_and_served_with_its_numbers(standardized, expected, tmp_path):
    inputs, answers = expected
    standardized.save(tmp_path / "learner.keras")
    again = tfmeta.load(tmp_path / "learner.keras")
    np.testing.assert_allclose(again.episode_logits(inputs), answers, rtol=1e-6)
    version = tfmeta.export.save(standardized, tmp_path / "served")
    signatures = tfmeta.load(version).signatures
    first = {name: part[0] for name, part in inputs.items()}
    found = signatures["predict"](**first)["predictions"]
    np.testing.assert_allclose(found, answers[0], rtol=1e-6)
    query = first.pop("query")
    state = signatures["adapt"](**first)
    found = signatures["predict_adapted"](**state, query=query)["predictions"]
    np.testing.assert_allclose(found, answers[0], rtol=1e-6)


def test_what_it_cannot_take_is_refused(inside, standardized):
    ones = np.ones(2)
    with pytest.raises(TypeError, match="`learner` must be a FewShotLearner.*Seq"):
        StandardizedLearner(keras.Sequential(), ones, ones, ones, ones)
    with pytest.raises(ValueError, match="must be one of regression.*Prototypical"):
        StandardizedLearner(PrototypicalNetwork(MLP((2,))), ones, ones, ones, ones)
    with pytest.raises(ValueError, match=r"`feature_mean` must be one number for"):
        StandardizedLearner(inside, np.ones(3), ones, ones, ones)
    with pytest.raises(ValueError, match="`target_scale` must be above 0.*0.0"):
        StandardizedLearner(inside, ones, ones, ones, [1, 0])
    with pytest.raises(ValueError, match="`feature_mean` must be finite"):
        StandardizedLearner(inside, [1, np.nan], ones, ones, ones)
    with pytest.raises(ValueError, match="`fit` must be that of the learner inside"):
        standardized.fit(None)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["support", "support_labels", "query"])
def test_what_is_not_finite_is_passed_on(standardized, expected, place, wrong):
    inputs, answers = expected
    spoilt = np.array(inputs[place])
    spoilt[0, 2, 0] = wrong
    found = standardized.episode_logits({**inputs, place: spoilt}).numpy()
    rows = [2] if place == "query" else range(FORM["queries"])
    assert np.isnan(found[0, rows]).all()
    sound = np.delete(found[0], rows, axis=0)
    np.testing.assert_allclose(sound, np.delete(answers[0], rows, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found[1:], answers[1:], rtol=1e-6)
