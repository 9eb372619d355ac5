import functools
import json
from collections import Counter

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes, RandomAffine
from tfmeta.evaluation import EvaluationResult, compare, evaluate
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.learners import (
    FewShotLearner,
    PrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
)


@keras.saving.register_keras_serializable(package="test_evaluate")
class Transductive(PrototypicalNetwork):
    """Pulls each query half way to the mean of the queries."""

    transductive = True

    def compare_embeddings(self, state, embeddings, *, query_mask=None, **options):
        weight = tf.ones(tf.shape(embeddings)[:2], embeddings.dtype)
        if query_mask is not None:
            weight = tf.cast(query_mask, embeddings.dtype)
        total = tf.reduce_sum(embeddings * weight[:, :, None], axis=1, keepdims=True)
        mean = total / tf.reduce_sum(weight, axis=1)[:, None, None]
        return super().compare_embeddings(state, (embeddings + mean) / 2)


@keras.saving.register_keras_serializable(package="test_evaluate")
class NeedsMask(PrototypicalNetwork):
    def adapt_embeddings(
        self, embeddings, support_labels, *, support_mask=None, **options
    ):
        assert support_mask is not None
        return super().adapt_embeddings(
            embeddings, support_labels, support_mask=support_mask
        )


@keras.saving.register_keras_serializable(package="test_evaluate")
class EpisodeBound(FewShotLearner):
    """A learner whose embeddings need not be the same in every episode."""

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder, **kwargs)
        self.inner = PrototypicalNetwork(encoder)

    def adapt(self, *arguments, **named):
        return self.inner.adapt(*arguments, **named)

    def predict_query(self, *arguments, **named):
        return self.inner.predict_query(*arguments, **named)


@pytest.fixture(scope="module")
def table():
    """Pictures of 14 classes of 9 to 12 examples, easy and hard ones."""
    generator = np.random.default_rng(0)
    pictures, labels = [], []
    for number in range(14):
        mean = generator.uniform(60, 190, (16, 16, 1))
        for _ in range(9 + number % 4):
            noise = generator.normal(0, 20 + 8 * number, (16, 16, 1))
            pictures.append(np.clip(mean + noise, 0, 255).astype(np.uint8))
            labels.append(f"class{number:02d}")
    return ClassTable.from_arrays("toy", np.stack(pictures), labels)


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(Conv4((16, 16, 1), filters=4, seed=1))


FIXED = {"ways": 4, "shots": 2, "queries": 5, "tasks": 7, "seed": 3}
VARIED = {"ways": (2, 6), "shots": (1, 3), "queries": 4, "tasks": 7, "seed": 3}


@pytest.fixture(scope="module")
def figures_of(learner, table):
    """The learner's figures on episodes of these settings, which are measured once."""

    @functools.cache
    def figures_of(**settings):
        episodes = Episodes(table, **settings)
        return evaluate(learner, episodes, num_episodes=600, seen_classes=())

    return figures_of


def assert_same_figures(first, second):
    np.testing.assert_allclose(
        first.episode_accuracies, second.episode_accuracies, rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(first.class_correct, second.class_correct)
    np.testing.assert_array_equal(first.class_total, second.class_total)
    assert first.protocol == second.protocol


@pytest.mark.parametrize("settings", [FIXED, VARIED], ids=["fixed", "padded"])
def test_encoding_once_changes_no_figure(learner, table, settings):
    def measured(encode_once):
        progress = []
        found = evaluate(
            learner,
            Episodes(table, **settings),
            num_episodes=600,
            seen_classes=(),
            encode_once=encode_once,
            on_progress=lambda done, of_all: progress.append((done, of_all)),
        )
        whole = len(progress)
        assert progress == [(done, whole) for done in range(1, whole + 1)]
        return found, whole

    direct, work = measured(False)
    once, more_work = measured(True)
    assert len(direct.episode_accuracies) == 600
    assert 0.3 < direct.accuracy < 0.95
    assert_same_figures(direct, once)
    # 86 batches of 7 tasks; encoding the pictures is one piece of work more.
    assert (work, more_work) == (86, 87)


@pytest.mark.parametrize("settings", [FIXED, VARIED], ids=["fixed", "padded"])
def test_figures_recounted_by_hand(learner, table, settings, figures_of):
    episodes = Episodes(table, **settings)
    found = figures_of(**settings)
    embeddings = learner.encoder(table.examples, training=False).numpy()
    accuracies, correct, total = [], Counter(), Counter()
    for episode in range(600):
        step, task = divmod(episode, episodes.tasks)
        if task == 0:
            class_ids, drawn = episodes.class_ids(step), episodes.indices(step)
            support, query = drawn.support.numpy(), drawn.query.numpy()
            is_real = drawn.support_mask.numpy()
        ways = [way for way in range(episodes.ways) if class_ids[task, way] >= 0]
        prototypes = [
            embeddings[support[task, way][is_real[task, way]]].mean(axis=0)
            for way in ways
        ]
        right = 0
        for way in ways:
            for row in query[task, way]:
                distances = [np.sum((embeddings[row] - p) ** 2) for p in prototypes]
                hit = int(np.argmin(distances)) == way
                right += hit
                correct[class_ids[task, way]] += hit
                total[class_ids[task, way]] += 1
        accuracies.append(right / (len(ways) * episodes.queries))
    np.testing.assert_allclose(found.episode_accuracies, accuracies, atol=1e-12)
    np.testing.assert_array_equal(found.class_total, [total[c] for c in range(14)])
    np.testing.assert_array_equal(found.class_correct, [correct[c] for c in range(14)])
    assert found.class_names == table.class_names


def test_every_figure_is_a_mean_over_episodes_where_ways_vary(learner, table):
    settings = {**VARIED, "ways": (2, 6), "seed": 5}
    episodes = Episodes(table, **settings)
    found = evaluate(learner, episodes, num_episodes=600, seen_classes=())
    ways = np.sum(found.episode_classes >= 0, axis=1)
    assert set(ways) == {2, 3, 4, 5, 6}
    # Pooled over queries, tasks of many ways would count more, and lower it.
    pooled = found.class_correct.sum() / found.class_total.sum()
    assert found.accuracy > pooled + 0.02
    low, high = found.over_test_classes.ends
    assert (low + high) / 2 == pytest.approx(found.accuracy, abs=1e-12)
    bins = found.reliability
    assert bins.correct.sum() / bins.count.sum() == pytest.approx(found.accuracy)


def test_the_classes_of_each_episode_are_kept(learner, table):
    for settings in (FIXED, VARIED):
        episodes = Episodes(table, **settings)
        found = evaluate(learner, episodes, num_episodes=601, seen_classes=())
        expected = [episodes.class_ids(step) for step in range(86)]
        np.testing.assert_array_equal(
            found.episode_classes, np.concatenate(expected)[:601]
        )
    # What is among the unlabelled has a part in the answers, too.
    settings = {**FIXED, "unlabelled": 1, "distractors": 2, "queries": 3}
    episodes = Episodes(table, **settings)
    found = evaluate(learner, episodes, num_episodes=600, seen_classes=())
    assert found.episode_classes.shape == (600, 4 + 2)
    for episode in (0, 17, 599):
        step, task = divmod(episode, episodes.tasks)
        drawn = episodes.indices(step)
        assert found.episode_classes[episode].tolist() == [
            *drawn.classes[task].numpy(),
            *drawn.distractors[task].numpy(),
        ]


@pytest.mark.parametrize("encode_once", [False, True])
def test_episodes_of_two_ways_have_an_area_under_the_curve(learner, table, encode_once):
    settings = {**FIXED, "ways": 2, "shots": (1, 2)}
    episodes = Episodes(table, **settings)
    found = evaluate(
        learner,
        episodes,
        num_episodes=600,
        seen_classes=(),
        encode_once=encode_once,
    )
    assert found.episode_auroc.shape == (600,)
    for episode in (0, 8, 599):
        step, task = divmod(episode, episodes.tasks)
        inputs, y = episodes.batch(step)
        scores = tf.nn.softmax(learner(inputs, training=False)[task]).numpy()
        # The first way or the second, by its probability: it is the same.
        for way in (0, 1):
            expected = sklearn.metrics.roc_auc_score(y[task] == way, scores[:, way])
            assert found.episode_auroc[episode] == pytest.approx(expected, abs=1e-6)
    assert found.auroc > found.accuracy > found.chance == 0.5
    assert f"{found.auroc:.4f}" in str(found)


def test_episodes_of_more_ways_have_none(figures_of):
    for settings in (FIXED, {**VARIED, "ways": (2, 3)}):
        assert figures_of(**settings).episode_auroc is None


def test_keras_own_evaluate_agrees(learner, table):
    episodes = Episodes(table, **{**FIXED, "tasks": 10})
    found = evaluate(learner, episodes, num_episodes=600, seen_classes=())
    learner.compile()
    figures = learner.evaluate(
        episodes.as_dataset(steps=60), return_dict=True, verbose=0
    )
    assert found.accuracy == pytest.approx(figures["accuracy"], abs=1e-6)
    # As many queries of each class as there were episodes with it.
    assert found.class_total.sum() == 600 * 4 * 5
    assert found.class_correct.sum() / found.class_total.sum() == pytest.approx(
        found.accuracy
    )


def test_the_seed_of_the_episodes_fixes_the_figures(learner, table, figures_of):
    def measured(seed):
        episodes = Episodes(table, **{**FIXED, "seed": seed})
        return evaluate(learner, episodes, num_episodes=600, seen_classes=())

    first, again, other = figures_of(**FIXED), measured(3), measured(4)
    np.testing.assert_array_equal(first.episode_accuracies, again.episode_accuracies)
    assert first.to_json() == again.to_json()
    assert np.any(first.episode_accuracies != other.episode_accuracies)
    with pytest.raises(ValueError, match="`seed`.*3 and 4"):
        compare(first, other)


def test_learners_are_told_what_is_padding(learner, table):
    needy = NeedsMask(learner.encoder)
    for encode_once in (False, True):
        evaluate(
            needy,
            Episodes(table, **VARIED),
            num_episodes=600,
            seen_classes=(),
            encode_once=encode_once,
        )


def test_it_comes_back_from_json(figures_of):
    found = figures_of(**VARIED)
    again = EvaluationResult.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert compare(found, again).difference == 0
    assert found.protocol["ways"] == [2, 6]


def test_no_figure_without_knowing_what_was_seen(learner, table):
    with pytest.raises(ValueError, match="`seen_classes`.*None"):
        evaluate(learner, Episodes(table, **FIXED), seen_classes=None)


def test_no_figure_for_classes_that_were_seen(learner, table):
    episodes = Episodes(table, **FIXED)
    with pytest.raises(ValueError, match="1 such classes, among them toy/class05"):
        evaluate(learner, episodes, seen_classes=iter(["toy/class05", "toy/other"]))
    # The class of another data set is another class.
    evaluate(learner, episodes, num_episodes=600, seen_classes=["other/class05"])


def test_no_figure_for_a_rotation_of_a_class_that_was_seen(learner, table):
    episodes = Episodes(table.with_rotations(), **FIXED)
    with pytest.raises(ValueError, match="among them toy/class05"):
        evaluate(learner, episodes, seen_classes=table.take_classes([5]).origins)
    found = evaluate(learner, episodes, num_episodes=600, seen_classes=())
    assert len(found.class_names) == 56
    assert found.num_clusters == 14


def test_no_figure_from_few_episodes(learner, table):
    with pytest.raises(ValueError, match="`num_episodes`.*600.*599"):
        evaluate(learner, Episodes(table, **FIXED), num_episodes=599, seen_classes=())


def test_augmented_examples_cannot_be_encoded_once(learner, table, figures_of):
    episodes = Episodes(table, **FIXED, augment=RandomAffine())
    with pytest.raises(ValueError, match="`encode_once=True`.*augment=RandomAffine"):
        evaluate(learner, episodes, seen_classes=(), encode_once=True)
    augmented = evaluate(learner, episodes, num_episodes=600, seen_classes=())
    plain = figures_of(**FIXED)
    assert np.any(augmented.episode_accuracies != plain.episode_accuracies)
    only_support = Episodes(table, **FIXED, support_augment=RandomAffine())
    with pytest.raises(ValueError, match="`encode_once=True`.*support_augment=Random"):
        evaluate(learner, only_support, seen_classes=(), encode_once=True)
    with pytest.raises(ValueError, match="`augment`"):
        compare(augmented, plain)


def test_a_learner_that_may_look_at_the_episode_is_not_encoded_once(
    learner, table, figures_of
):
    bound = EpisodeBound(learner.encoder)
    episodes = Episodes(table, **VARIED)
    with pytest.raises(ValueError, match="`encode_once=True`.*EpisodeBound"):
        evaluate(bound, episodes, seen_classes=(), encode_once=True)
    found = evaluate(bound, episodes, num_episodes=600, seen_classes=())
    assert_same_figures(found, figures_of(**VARIED))


def test_unlabelled_examples_reach_the_learner(learner, table, figures_of):
    settings = {**FIXED, "queries": 3, "unlabelled": 2, "distractors": 1}
    episodes = Episodes(table, **settings)
    refined = SemiSupervisedPrototypicalNetwork(learner.encoder)

    def measured(of, encode_once=None):
        return evaluate(
            of, episodes, num_episodes=600, seen_classes=(), encode_once=encode_once
        )

    found = measured(refined, False)
    assert_same_figures(found, measured(refined, True))
    plain = measured(learner)
    assert np.any(found.episode_accuracies != plain.episode_accuracies)
    assert found.protocol["distractors"] == 1
    others = figures_of(**{**FIXED, "queries": 3})
    with pytest.raises(ValueError, match="`distractors` must agree.*1 and None"):
        compare(found, others)


@pytest.mark.parametrize(
    ("encode_once", "settings"),
    [
        pytest.param(False, FIXED, id="fixed", marks=pytest.mark.slow),
        pytest.param(False, VARIED, id="padded", marks=pytest.mark.slow),
        pytest.param(True, FIXED, id="encoded once"),
        pytest.param(True, VARIED, id="encoded once, padded", marks=pytest.mark.slow),
    ],
)
def test_a_transductive_figure_has_others_beside_it(
    learner, table, settings, encode_once, figures_of
):
    episodes = Episodes(table, **settings)
    found = evaluate(
        Transductive(learner.encoder),
        episodes,
        num_episodes=600,
        seen_classes=(),
        encode_once=encode_once,
    )
    plain = figures_of(**settings)
    assert found.transductive and found.to_json()["transductive"]
    assert ", transductive" in str(found)
    assert np.any(found.episode_accuracies != plain.episode_accuracies)
    # A query by itself is its own mean: it stays where it is.
    alone = found.transduction.alone
    np.testing.assert_allclose(alone, plain.episode_accuracies, atol=1e-12)
    assert plain.transduction is None
    if settings is VARIED:
        assert found.transduction.unequal is None
        return
    # Classes have 9 examples and more: 2 shots leave 7, which 4 ways share.
    assert found.transduction.unequal_queries == 1
    unequal = Episodes(table, **{**FIXED, "queries": 1}, query_dirichlet=2.0)
    again = evaluate(
        Transductive(learner.encoder), unequal, num_episodes=600, seen_classes=()
    )
    np.testing.assert_allclose(
        found.transduction.unequal, again.episode_accuracies, atol=1e-12
    )
    assert again.transduction.unequal is None
    assert again.protocol["query_dirichlet"] == 2.0
    assert "1 queries a class on average, Dirichlet(2) proportions" in str(again)
    assert "not measured" not in str(again)


def test_calibration_and_confusion_recounted_by_hand(learner, table):
    episodes = Episodes(table, **VARIED)
    found = evaluate(
        learner, episodes, num_episodes=600, seen_classes=(), encode_once=False
    )
    gaps = np.zeros(15)
    taken_for = Counter()
    for episode in range(600):
        step, task = divmod(episode, episodes.tasks)
        if task == 0:
            inputs, y, _ = episodes.batch(step)
            y = y.numpy()
            # Two logits may differ by less than a softmax in float32 can show.
            logits = learner(inputs, training=False).numpy().astype(np.float64)
            exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
            probabilities = exponents / exponents.sum(axis=-1, keepdims=True)
            ids = episodes.class_ids(step)
        asked = np.flatnonzero(inputs["query_mask"][task])
        for query in asked:
            row = probabilities[task, query]
            top, right = row.argmax(), row.argmax() == y[task, query]
            probability = float(row.max())
            # Every episode counts alike, whatever the number of its ways.
            place = min(int(np.ceil(probability * 15)) - 1, 14)
            gaps[place] += (right - probability) / len(asked)
            if not right:
                true = ids[task, y[task, query]]
                taken_for[int(true), int(ids[task, top])] += 1
    assert found.expected_calibration_error == pytest.approx(
        np.abs(gaps).sum() / 600, abs=1e-6
    )
    assert f"{found.expected_calibration_error:.4f}" in str(found)
    triples = zip(
        found.confusion.true,
        found.confusion.taken_for,
        found.confusion.count,
        strict=True,
    )
    assert {(t, p): n for t, p, n in triples} == taken_for
    assert found.confusion.total == (found.class_total - found.class_correct).sum()


def test_examples_may_lie_on_disk(learner, table, tmp_path):
    np.save(tmp_path / "examples.npy", table.examples)
    mapped = ClassTable(
        "toy",
        np.load(tmp_path / "examples.npy", mmap_mode="r"),
        table.offsets,
        table.class_names,
    )
    assert fingerprint(mapped) == fingerprint(table)
    assert_same_figures(
        *(
            evaluate(learner, Episodes(t, **FIXED), num_episodes=600, seen_classes=())
            for t in (mapped, table)
        )
    )


def test_the_fingerprint_tells_tables_apart(table):
    darker = ClassTable("toy", table.examples // 2, table.offsets, table.class_names)
    others = [
        darker,
        table.take_classes(range(13)),
        table.take_classes(range(13, -1, -1)),
        table.with_rotations(),
        ClassTable("tox", table.examples, table.offsets, table.class_names),
    ]
    assert len({fingerprint(t) for t in [table, *others]}) == 6
    assert fingerprint(table) == fingerprint(table.take_classes(range(14)))
