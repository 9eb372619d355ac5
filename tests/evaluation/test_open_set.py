import json

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation import (
    OpenSetResult,
    Threshold,
    evaluate_open_set,
    over_test_classes,
)
from tfmeta.evaluation.threshold import Answers, nearest_threshold
from tfmeta.learners import PrototypicalNetwork

WAYS, UNKNOWN, SHOTS, QUERIES = 3, 2, 2, 4
SETTINGS = {"ways": WAYS + UNKNOWN, "shots": SHOTS, "queries": QUERIES, "tasks": 7}


def clouds(name, seed, classes=9):
    """Classes of 8 to 10 points around centres."""
    generator = np.random.default_rng(seed)
    points, labels = [], []
    for number in range(classes):
        centre = generator.normal(0, 2, 4)
        for _ in range(8 + number % 3):
            points.append(centre + generator.normal(0, 1, 4))
            labels.append(f"class{number}")
    return ClassTable.from_arrays(name, np.array(points, np.float32), labels)


@pytest.fixture(scope="module")
def learner():
    # No encoder at all: the distances can be computed by hand.
    inputs = keras.Input((4,))
    outputs = keras.layers.Rescaling(0.5)(inputs)
    return PrototypicalNetwork(keras.Model(inputs, outputs))


@pytest.fixture(scope="module")
def test_episodes():
    return Episodes(clouds("test", 1), **SETTINGS, seed=3)


@pytest.fixture(scope="module")
def validation():
    return Episodes(clouds("validation", 2), **SETTINGS, seed=4)


@pytest.fixture(scope="module")
def found(learner, test_episodes, validation):
    progress = []
    result = evaluate_open_set(
        learner,
        test_episodes,
        validation,
        unknown_ways=UNKNOWN,
        num_episodes=600,
        seen_classes=validation.origins,
        on_progress=lambda done, of_all: progress.append((done, of_all)),
    )
    whole = len(progress)
    assert progress == [(done, whole) for done in range(1, whole + 1)]
    return result


def by_hand(episodes):
    """Logits `(600, queries, known ways)` and the way of each query, by NumPy."""
    points = episodes.table.examples * 0.5
    logits, ways = [], []
    for episode in range(600):
        step, task = divmod(episode, episodes.tasks)
        if task == 0:
            drawn = episodes.indices(step)
            support, query = drawn.support.numpy(), drawn.query.numpy()
        prototypes = points[support[task, :WAYS]].mean(axis=1)
        queries = points[query[task].ravel()]
        logits.append(-((queries[:, None] - prototypes) ** 2).sum(axis=-1))
        ways.append(np.repeat(np.arange(WAYS + UNKNOWN), QUERIES))
    return np.array(logits), np.array(ways)


def scores_of(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return {
        "logit": logits.max(axis=-1),
        "probability": 1 / exponents.sum(axis=-1),
    }


def test_the_threshold_recomputed_by_hand(found, validation):
    logits, ways = by_hand(validation)
    known = ways < WAYS
    for name, scores in scores_of(logits).items():
        areas = [
            sklearn.metrics.roc_auc_score(k, s)
            for k, s in zip(known, scores, strict=True)
        ]
        assert found.threshold.validation_auroc[name] == pytest.approx(
            np.mean(areas), abs=1e-4
        )
    areas = found.threshold.validation_auroc
    # Far from all prototypes one of them is still by far the nearest.
    assert areas["logit"] > areas["probability"] + 0.05
    assert found.threshold.score == "logit"
    accepted = scores_of(logits)["logit"][known] >= found.threshold.value - 1e-4
    assert accepted.mean() == pytest.approx(0.95, abs=1e-3)


def test_the_figures_recomputed_by_hand(found, test_episodes):
    logits, ways = by_hand(test_episodes)
    known, right = ways < WAYS, logits.argmax(axis=-1) == ways
    scores = scores_of(logits)["logit"]
    accepted = scores >= found.threshold.value
    for episode in range(600):
        k, a, r = known[episode], accepted[episode], right[episode]
        assert found.accuracies[episode] == pytest.approx(r[k].mean())
        assert found.known_accepted[episode] == pytest.approx(a[k].mean(), abs=0.09)
        assert found.auroc[episode] == pytest.approx(
            sklearn.metrics.roc_auc_score(k, scores[episode]), abs=0.03
        )
    # A score on the very threshold may fall on either side in float32.
    assert np.mean(found.known_accepted) == pytest.approx(
        accepted[known].mean(), abs=1e-3
    )
    assert np.mean(found.unknown_rejected) == pytest.approx(
        1 - accepted[~known].mean(), abs=1e-3
    )
    whole = (right & accepted & known) | (~known & ~accepted)
    assert np.mean(found.open_accuracies) == pytest.approx(whole.mean(), abs=1e-3)
    assert 0.3 < found.open_accuracies.mean() < 0.99


def test_the_support_of_unknown_classes_is_never_seen(learner, test_episodes):
    from tfmeta.evaluation.prediction import EpisodePredictor
    from tfmeta.evaluation.progress import Progress

    class Spy(PrototypicalNetwork):
        def episode_logits(self, inputs, *, training=False):
            assert inputs["support"].shape == (7, WAYS * SHOTS, 4)
            assert inputs["support_labels"].shape == (7, WAYS * SHOTS, WAYS)
            labels = tf.reduce_sum(inputs["support_labels"], axis=1)
            tf.debugging.assert_equal(labels, float(SHOTS))
            return super().episode_logits(inputs, training=training)

    predictor = EpisodePredictor(Spy(learner.encoder), None)
    (batch,) = predictor.batches(test_episodes, 7, Progress(None, 1), support_ways=WAYS)
    assert batch.y.max() == WAYS + UNKNOWN - 1
    assert batch.answers["predicted"].max() == WAYS - 1


def test_what_is_easy_to_tell_apart(learner):
    """Classes far from each other: all known accepted, all unknown rejected."""
    far = [
        ClassTable.from_arrays(
            name,
            np.repeat(shift + 20.0 * np.arange(8), 8)[:, None].astype(np.float32)
            + np.random.default_rng(0).normal(0, 1, (64, 4)).astype(np.float32),
            [f"class{n}" for n in range(8) for _ in range(8)],
        )
        for name, shift in (("test", 0), ("validation", 10))
    ]
    test, validation = (Episodes(table, **SETTINGS) for table in far)
    result = evaluate_open_set(
        learner,
        test,
        validation,
        unknown_ways=UNKNOWN,
        num_episodes=600,
        seen_classes=validation.origins,
    )
    assert (result.accuracies == 1).all() and (result.auroc == 1).all()
    assert (result.unknown_rejected == 1).all()
    assert result.known_accepted.mean() == pytest.approx(0.95, abs=0.02)


def test_every_figure_has_an_interval_over_classes_in_all_their_roles(
    found, test_episodes
):
    ids = np.concatenate([test_episodes.class_ids(step) for step in range(86)])
    np.testing.assert_array_equal(found.episode_classes, ids[:600])
    names = test_episodes.table.class_names
    assert found.class_names == names
    for figure in ("accuracies", "auroc", "open_accuracies", "unknown_rejected"):
        values = getattr(found, figure)
        interval = found.over_test_classes(figure)
        # Known and unknown classes alike are left out with their episodes.
        assert interval == over_test_classes(values, ids[:600], names)
        assert interval.clusters == 9
        if interval.ends is None:
            assert interval.reason in str(found)
        else:
            low, high = interval.ends
            assert low < values.mean() < high
    assert found.over_test_classes("auroc").text("{:.4f}", scale=1) in str(found)
    assert "the range behind it 95 % over test classes" in str(found)


def test_figures_of_a_former_version_have_no_interval_over_classes(found):
    values = json.loads(json.dumps(found.to_json()))
    del values["classes"], values["episode_classes"]
    for figure in values["figures"].values():
        del figure["over_test_classes"]
    former = OpenSetResult.from_json(values)
    assert former.over_test_classes("auroc").ends is None
    assert "– is no interval over test classes: the classes of the" in str(former)


def test_it_comes_back_from_json_and_is_readable(found):
    again = OpenSetResult.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert again.threshold == found.threshold
    assert str(again) == str(found)
    for part in (
        "3-way 2-shot with 2 unknown classes on test, 4 queries a class, inductive",
        f"{found.auroc.mean():.4f} ±",
        f"accuracy at 95 % recall   {100 * found.open_accuracies.mean():.2f} ±",
        "none of these",
        "600 episodes of the validation classes",
    ):
        assert part in str(found)
    values = found.threshold.to_json()
    with pytest.raises(ValueError, match="`score` must be one of logit.*'energy'"):
        Threshold.from_json({**values, "score": "energy"})


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.95, 0.99])
def test_no_larger_threshold_has_the_recall(recall):
    generator = np.random.default_rng(0)
    known = np.arange(40).reshape(2, 20) % 3 > 0
    scores = generator.integers(0, 12, (2, 20)).astype(float)  # with ties
    answers = Answers(known, known, {"logit": scores, "probability": -scores})
    found = Threshold.fitted(answers, recall=recall, protocol={})
    best = answers.scores[found.score][known]
    assert np.mean(found.accepts(best)) >= recall
    assert np.mean(best > found.value) < recall


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unknown_ways": 0}, "`unknown_ways` must be at least 1.*=0"),
        ({"unknown_ways": 4}, "leave 2 of the ways.*=4, episodes of 5 ways"),
        ({"recall": 1.0}, "`recall` must be above 0 and below 1.*1.0"),
        ({"num_episodes": 599}, "`num_episodes`"),
        ({"seen_classes": None}, "`seen_classes`.*None"),
        ({"seen_classes": ()}, "`validation` must hold classes of `seen_classes`"),
        ({"seen_classes": "both"}, "no class that training or validation saw"),
        ({"episodes": {"shots": 1}}, "`shots`.*must agree.*1 and 2"),
        ({"episodes": {"ways": 6}}, "`ways`.*must agree.*6 and 5"),
        ({"episodes": {"ways": (4, 5)}}, "fixed number of `ways`"),
        ({"episodes": {"queries": 1, "unlabelled": 1}}, "no `unlabelled`"),
    ],
)
def test_what_makes_no_figure_is_named(learner, validation, changes, message):
    table = clouds("test", 1)
    changes = dict(changes)
    episodes = Episodes(table, **{**SETTINGS, **changes.pop("episodes", {})})
    if changes.get("seen_classes") == "both":
        changes["seen_classes"] = {*validation.origins, *episodes.origins}
    named = {"unknown_ways": UNKNOWN, "seen_classes": validation.origins, **changes}
    with pytest.raises(ValueError, match=message):
        evaluate_open_set(learner, episodes, validation, **named)


def test_the_nearest_threshold():
    def fitted(ways, shots, value):
        protocol = {"ways": ways, "shots": shots}
        return Threshold("logit", value, 0.9, {}, protocol)

    tasks = [(5, 1), (5, 5), (20, 1), (5, 1), (9, 5)]
    kept = [fitted(*task, value) for value, task in enumerate(tasks)]
    for (ways, shots), value in {
        (5, 1): 3,  # The later of two.
        (5, 4): 1,
        (3, 9): 1,
        (6, 2): 3,
        (7, 5): 4,  # As near in ways and shots as another before it.
        (8, 1): 4,  # Ways before shots.
        (500, 5): 2,
    }.items():
        assert nearest_threshold(kept, ways=ways, shots=shots).value == value
