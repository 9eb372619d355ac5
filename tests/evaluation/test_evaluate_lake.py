import dataclasses
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets.omniglot.lake_runs import load_lake_runs
from tfmeta.encoders import Conv4
from tfmeta.evaluation import LakeResult, evaluate_lake
from tfmeta.evaluation.intervals import student_t
from tfmeta.learners import FewShotLearner, PrototypicalNetwork


@pytest.fixture(scope="module")
def runs(lake_dir):
    return load_lake_runs(data_dir=lake_dir)


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(Conv4((28, 28, 1), filters=8, seed=3))


@pytest.fixture(scope="module")
def result(learner, runs):
    return evaluate_lake(learner, runs, seen_classes=[])


def test_each_query_by_itself_goes_to_the_nearest_of_twenty(learner, runs, result):
    embed = tf.function(lambda pictures: learner.encoder(pictures, training=False))
    wrong = np.zeros((20, 20), bool)
    for run in range(20):
        known = embed(tf.constant(runs.support[run])).numpy()
        for item in range(20):
            embedding = embed(tf.constant(runs.query[run, item][None])).numpy()
            nearest = int(np.argmin(np.sum((known - embedding) ** 2, axis=1)))
            wrong[run, item] = nearest != runs.labels[run, item]
            assert result.predicted[run, item] == nearest
    np.testing.assert_array_equal(result.wrong, wrong)
    assert 0.3 < result.error < 0.9  # far from chance, 0.95, with random weights
    assert result.error == wrong.mean()
    np.testing.assert_array_equal(result.run_errors, wrong.sum(axis=1))


def test_the_order_of_the_queries_does_not_matter(learner, runs, result):
    order = np.random.default_rng(0).permutation(20)
    shuffled = dataclasses.replace(
        runs, query=runs.query[:, order], labels=runs.labels[:, order]
    )
    found = evaluate_lake(learner, shuffled, seen_classes=[])
    np.testing.assert_array_equal(found.predicted, result.predicted[:, order])


def test_a_learner_that_finds_the_same_pictures_is_never_wrong(runs):
    nearest = PrototypicalNetwork(
        keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    )
    answers = np.take_along_axis(
        runs.support, runs.labels[..., None, None, None], axis=1
    )
    same = dataclasses.replace(runs, query=answers)
    reports = []
    found = evaluate_lake(
        nearest,
        same,
        seen_classes=["omniglot/Greek/character01"],
        on_progress=lambda done, of_all: reports.append((done, of_all)),
    )
    assert found.error == 0 and not found.wrong.any()
    assert found.over_alphabets.ends is None and found.over_trials[1] > 0.005
    assert reports == [(run + 1, 20) for run in range(20)]


def test_a_transductive_learner_is_called_so(runs):
    class InTurn(FewShotLearner):
        """Takes the first query for the first character, and so on."""

        transductive = True

        def adapt(self, support, support_labels, **masks):
            return {"labels": support_labels}

        def predict_query(self, state, query, **masks):
            return tf.eye(20, batch_shape=[1])

    learner = InTurn(
        keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    )
    found = evaluate_lake(learner, runs, seen_classes=[])
    np.testing.assert_array_equal(found.predicted, np.tile(np.arange(20), (20, 1)))
    assert found.transductive
    assert "28x28, transductive: " in str(found)


def test_characters_that_were_seen_leave_no_figure(learner, runs):
    seen = ["omniglot/Greek/character01", "omniglot/Tengwar/character02"]
    with pytest.raises(ValueError) as caught:
        evaluate_lake(learner, runs, seen_classes=seen)
    message = str(caught.value)
    assert "saw 1 of the 200, among them omniglot/Tengwar/character02" in message
    assert "train with `--protocol lake`" in message
    with pytest.raises(ValueError, match="seen_classes=None"):
        evaluate_lake(learner, runs, seen_classes=None)


def test_a_learner_of_other_pictures_is_refused(learner, lake_dir):
    large = load_lake_runs(data_dir=lake_dir, size=30)
    with pytest.raises(ValueError, match=r"\(30, 30, 1\).*takes \(28, 28, 1\)"):
        evaluate_lake(learner, large, seen_classes=[])


def test_the_intervals_are_over_trials_and_over_alphabets():
    labels = np.tile(np.arange(20), (20, 1))
    predicted = labels.copy()
    alphabets = tuple(f"alphabet{run // 2}" for run in range(20))
    predicted[:2] = (predicted[:2] + 1) % 20  # one alphabet all wrong
    result = LakeResult(28, False, alphabets, labels, predicted)
    assert result.error == 0.1
    # All runs of an alphabet are alike, so ten means of which one is 1.
    errors = np.array([1.0] + [0.0] * 9)
    reach = student_t(9) * errors.std(ddof=1) / math.sqrt(10)
    assert result.over_alphabets.ends == pytest.approx((0.0, 0.1 + reach), abs=1e-9)
    assert "(jackknife over 10 alphabets with their" in str(result)
    # Over trials, as if all 400 were independent, far narrower.
    assert result.over_trials == pytest.approx((0.0743, 0.1333), abs=1e-4)


def test_results_survive_json(result):
    values = json.loads(json.dumps(result.to_json()))
    back = LakeResult.from_json(values)
    assert back.to_json() == result.to_json()
    assert str(back) == str(result)
    assert values["error"] == result.error
    assert [r["errors"] for r in values["runs"]] == result.run_errors.tolist()
