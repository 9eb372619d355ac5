"""Evaluation of whatever sequence of tasks there is, with and without classes."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.encoders import MLP
from tfmeta.episodes import Episodes, Mixture, Sinusoids
from tfmeta.evaluation import (
    EvaluationResult,
    compare,
    evaluate,
    over_test_classes,
    over_training_seeds,
)
from tfmeta.learners import MAML, PrototypicalNetwork
from tfmeta.learners.base import FewShotLearner

EPISODES = 600


@keras.saving.register_keras_serializable(package="test_any_tasks")
class Flat(FewShotLearner):
    """Predicts a share of the mean of the support's targets, for every query."""

    encoder_arguments = ()
    task = "regression"
    fixed_ways = 1

    def __init__(self, share, **kwargs):
        super().__init__(None, **kwargs)
        self.share = share

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        return {"level": self.share * tf.reduce_mean(support_labels, axis=1)}

    def predict_query(self, state, query, *, query_mask=None, training=False):
        return tf.repeat(state["level"][:, None], tf.shape(query)[1], axis=1)


class Pulled(Flat):
    """Adds the mean of the queries: each depends on the others."""

    transductive = True

    def predict_query(self, state, query, **options):
        return super().predict_query(state, query) + tf.reduce_mean(
            query, axis=1, keepdims=True
        )


def make_table(name, seed, classes=9):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 1, 4))
    examples = centres + rng.normal(size=(classes, 10, 4))
    labels = [f"c{i:02d}" for i in range(classes) for _ in range(10)]
    return ClassTable.from_arrays(
        name, examples.reshape(-1, 4).astype(np.float32), labels
    )


FORM = {"ways": 3, "shots": 2, "queries": 4, "tasks": 20}


class Own:
    """Tasks of one's own, which say no more than they must."""

    tasks = 20

    def __init__(self, episodes, **more):
        self.episodes = episodes
        vars(self).update(more)

    def as_dataset(self, *, steps):
        for inputs, y in self.episodes.as_dataset(steps=steps):
            yield {k: v.numpy() for k, v in inputs.items()}, y.numpy()

    def describe(self):
        return {"mine": self.episodes.describe()}


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(MLP((4,), units=(8,), seed=0))


def test_the_figure_of_regression_is_the_mean_squared_error():
    episodes = Sinusoids(shots=5, queries=6, tasks=40, seed=3)
    found = evaluate(Flat(0.5), episodes, num_episodes=EPISODES)
    errors = []
    for inputs, y in episodes.as_dataset(steps=15):
        level = 0.5 * inputs["support_labels"].numpy().astype(float).mean(axis=1)
        errors.extend(np.mean((y.numpy() - level[:, None]) ** 2, axis=(1, 2)))
    assert found.figure.name == "mean_squared_error"
    np.testing.assert_allclose(found.per_episode, errors, rtol=1e-5)
    assert found.mean_squared_error == found.mean == np.mean(found.per_episode)
    spread = np.std(errors, ddof=1)
    assert found.over_episode_draws == pytest.approx(
        1.96 * spread / np.sqrt(EPISODES), rel=1e-5
    )
    # Waves have no classes, so nothing of classes is said, or asked for.
    assert found.over_test_classes.ends is None
    assert "no classes" in found.over_test_classes.reason
    assert found.class_names == () and found.confusion is None
    assert "mean squared error" in str(found) and "lower is better" in str(found)
    assert "Sinusoids" in str(found) and "%" not in str(found).replace("95 %", "")
    with pytest.raises(ValueError, match="`accuracy` is not the figure"):
        _ = found.accuracy


@pytest.mark.slow
def test_regression_of_maml_after_one_step():
    episodes = Sinusoids(tasks=50)
    learner = MAML(MLP((1,)), 1, task="regression", inner_learning_rate=0.01, seed=0)
    found = evaluate(learner, episodes, num_episodes=EPISODES)
    inputs, y = next(iter(episodes.as_dataset(steps=1)))
    errors = np.square(learner.episode_logits(inputs) - y).mean(axis=(1, 2))
    np.testing.assert_allclose(found.per_episode[:50], errors, rtol=1e-4)


def test_results_of_regression_are_kept_and_compared():
    episodes = Sinusoids(shots=5, queries=6, tasks=50, seed=3)
    shrunken, whole = (
        evaluate(Flat(share), episodes, num_episodes=EPISODES) for share in (0.3, 3.0)
    )
    again = EvaluationResult.from_json(json.loads(json.dumps(shrunken.to_json())))
    np.testing.assert_array_equal(again.per_episode, shrunken.per_episode)
    assert again.to_json() == shrunken.to_json() and str(again) == str(shrunken)
    assert shrunken.to_json()["figure"] == "mean_squared_error"
    found = compare(shrunken, whole)
    # The lower one is better, and episodes without classes are enough to say so.
    assert found.difference == pytest.approx(shrunken.mean - whole.mean)
    assert found.difference < 0 and found.better == "first"
    assert compare(whole, shrunken).better == "second"
    assert found.over_test_classes is None and "test classes" not in str(found)
    assert "mean squared error (lower is better)" in str(found)
    assert compare(shrunken, again).better is None


def test_figures_of_two_kinds_do_not_mix(learner):
    of_waves = evaluate(Flat(1.0), Sinusoids(tasks=50), num_episodes=EPISODES)
    of_classes = dataclasses.replace(
        of_waves, episode_accuracies=np.ones(EPISODES), episode_squared_errors=None
    )
    for pair in ((of_waves, of_classes), (of_classes, of_waves)):
        with pytest.raises(ValueError, match="by one figure only"):
            compare(*pair)
    with pytest.raises(ValueError, match="a result with `mean_squared_error`"):
        over_training_seeds([of_waves, of_waves])
    for values in ({}, {"episode_squared_errors": np.ones(3)}):
        accuracies = np.ones(3) if values else None
        with pytest.raises(ValueError, match="one of episode_accuracies and"):
            EvaluationResult({}, False, accuracies, **values)
    with pytest.raises(ValueError, match=r"`episodes` must be of regression"):
        evaluate(
            Flat(1.0),
            Episodes(make_table("a", 0), **FORM),
            num_episodes=EPISODES,
            seen_classes=(),
        )
    with pytest.raises(ValueError, match=r"`episodes` must be of classification"):
        evaluate(learner, Sinusoids(tasks=50), num_episodes=EPISODES)


def test_regression_with_the_queries_of_others():
    episodes = Sinusoids(shots=5, queries=40, tasks=50, seed=3)
    found = evaluate(Pulled(0.0), episodes, num_episodes=EPISODES)
    (inputs, y), *_ = episodes.as_dataset(steps=1)
    alone = np.square(y - inputs["query"]).mean(axis=(1, 2))
    np.testing.assert_allclose(found.transduction.alone[:50], alone, rtol=1e-4)
    assert "each query by itself" in str(found) and "unequal" not in str(found)


def test_what_is_not_finite_is_no_figure():
    with pytest.raises(ValueError, match=r"finite predictions.*6,000 of 6,000 queries"):
        evaluate(Flat(np.nan), Sinusoids(tasks=50), num_episodes=EPISODES)


def test_a_mixture_has_the_classes_of_its_sources(learner):
    first, second = make_table("a", 0), make_table("b", 1, classes=7)
    sources = [Episodes(first, **FORM), Episodes(second, **FORM, seed=1)]
    mixture = Mixture(sources, weights=[0.3, 0.7], seed=5)
    seen = {"train/c00"}
    found = evaluate(learner, mixture, num_episodes=EPISODES, seen_classes=seen)
    assert found.class_names[:9] == tuple(f"a/{name}" for name in first.class_names)
    assert found.class_names[9:] == tuple(f"b/{name}" for name in second.class_names)
    assert found.class_clusters == (*first.origins, *second.origins)
    # Batch by batch the figures of the source that it is from.
    of_sources = [
        evaluate(
            learner, s, num_episodes=EPISODES, seen_classes=seen, encode_once=False
        )
        for s in sources
    ]
    correct = np.zeros(16, int)
    for step in range(EPISODES // 20):
        number, rows = mixture.source(step), slice(20 * step, 20 * step + 20)
        expected = of_sources[number]
        np.testing.assert_array_equal(
            found.episode_accuracies[rows], expected.episode_accuracies[rows]
        )
        np.testing.assert_array_equal(
            found.episode_classes[rows], expected.episode_classes[rows] + 9 * number
        )
        accuracies = found.episode_accuracies[rows]
        correct[9 * number] += round(float(accuracies.sum()) * 12)
    assert found.class_correct[:9].sum() == correct[0]
    assert found.class_correct[9:].sum() == correct[9]
    assert found.class_total.sum() == EPISODES * 12
    assert found.over_test_classes == over_test_classes(
        found.episode_accuracies, found.episode_classes, found.class_clusters
    )
    again = EvaluationResult.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert compare(found, again).difference == 0
    assert "Mixture" in str(found)
    with pytest.raises(ValueError, match="`seen_classes` must name"):
        evaluate(learner, mixture, num_episodes=EPISODES)
    with pytest.raises(ValueError, match=r"training or validation saw.*b/c03"):
        evaluate(learner, mixture, num_episodes=EPISODES, seen_classes={"b/c03"})
    # Other data are other episodes, though all settings agree.
    others = Mixture(
        [Episodes(make_table("a", 2), **FORM), sources[1]], weights=[0.3, 0.7], seed=5
    )
    elsewhere = evaluate(learner, others, num_episodes=EPISODES, seen_classes=seen)
    with pytest.raises(ValueError, match="`fingerprints` must agree"):
        compare(found, elsewhere)


def test_sources_of_one_table_share_their_classes(learner):
    table = make_table("a", 0)
    mixture = Mixture([Episodes(table, **FORM), Episodes(table, **FORM, seed=1)])
    found = evaluate(learner, mixture, num_episodes=EPISODES, seen_classes=())
    assert len(found.class_names) == table.num_classes
    assert "fingerprint" in found.protocol


def test_tasks_of_ones_own(learner):
    """Without classes, with classes, and with too few tasks."""
    table = make_table("a", 0)
    episodes = Episodes(table, **FORM)
    usual = evaluate(
        learner, episodes, num_episodes=EPISODES, seen_classes=(), encode_once=False
    )
    bare = evaluate(learner, Own(episodes), num_episodes=EPISODES)
    np.testing.assert_array_equal(bare.episode_accuracies, usual.episode_accuracies)
    assert bare.class_names == () and bare.confusion is None
    assert "no classes" in str(bare) and bare.reliability is not None
    again = EvaluationResult.from_json(json.loads(json.dumps(bare.to_json())))
    assert again.to_json() == bare.to_json()
    with pytest.raises(ValueError, match="`chance` needs a protocol with `ways`"):
        _ = bare.chance

    classed = Own(episodes, table=table, class_ids=episodes.class_ids)
    with pytest.raises(ValueError, match="`seen_classes` must name"):
        evaluate(learner, classed, num_episodes=EPISODES)
    found = evaluate(learner, classed, num_episodes=EPISODES, seen_classes=())
    assert found.over_test_classes == usual.over_test_classes
    np.testing.assert_array_equal(found.class_correct, usual.class_correct)
    np.testing.assert_array_equal(found.confusion.count, usual.confusion.count)
    with pytest.raises(ValueError, match="identical episodes"):
        compare(found, bare)

    class Short(Own):
        def as_dataset(self, *, steps):
            return super().as_dataset(steps=steps - 1)

    with pytest.raises(ValueError, match="600 episodes, 30 batches.*: 580 episodes"):
        evaluate(learner, Short(episodes), num_episodes=EPISODES)
    with pytest.raises(ValueError, match="`encode_once=True` needs.*Own with mine"):
        evaluate(learner, Own(episodes), num_episodes=EPISODES, encode_once=True)
    with pytest.raises(TypeError, match="without as_dataset, describe"):
        evaluate(learner, _Nothing())


class _Nothing:
    tasks = 3
