import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, InstanceSequences
from tfmeta.evaluation import (
    InstancesResult,
    evaluate_instances,
    over_episode_draws,
    over_test_classes,
)
from tfmeta.evaluation import instances as module
from tfmeta.evaluation.instances_result import KeptInstances, ordinal
from tfmeta.json_types import check_type
from tfmeta.learners import MAML, MemoryAugmentedNetwork, PrototypicalNetwork

WAYS, INSTANCES = 4, 5
SETTINGS = {"ways": WAYS, "shots": 1, "queries": INSTANCES - 1, "tasks": 50}


def points(spread, classes=9):
    """Classes of 6 points around centres that are far apart."""
    generator = np.random.default_rng(3)
    centres = np.repeat(10.0 * np.eye(classes, 4) + np.arange(classes)[:, None], 6, 0)
    examples = centres + spread * generator.normal(size=centres.shape)
    labels = [f"class{number // 6}" for number in range(6 * classes)]
    return ClassTable.from_arrays("points", examples.astype(np.float32), labels)


def identity():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


@pytest.fixture(scope="module")
def learner():
    return PrototypicalNetwork(identity())


@pytest.fixture(scope="module")
def found(learner):
    progress = []
    result = evaluate_instances(
        learner,
        Episodes(points(4.0), **SETTINGS, seed=2),
        num_episodes=620,
        seen_classes=(),
        on_progress=lambda done, of_all: progress.append((done, of_all)),
    )
    whole = len(progress)
    assert progress == [(done, whole) for done in range(1, whole + 1)]
    return result


class Lookup(PrototypicalNetwork):
    """Knows what it has seen by heart, and takes what is new for the first new way."""

    def embedded_sequence_logits(self, embeddings, labels):
        own = tf.matmul(embeddings, embeddings, transpose_b=True)
        squares = tf.linalg.diag_part(own)
        same = own == tf.minimum(squares[:, None], squares[:, :, None])
        same &= squares[:, None] == squares[:, :, None]
        earlier = tf.linalg.band_part(tf.cast(same, labels.dtype), -1, 0)
        earlier -= tf.linalg.diag(tf.linalg.diag_part(earlier))
        told = tf.cumsum(labels, axis=1, exclusive=True) > 0
        remembered = tf.matmul(earlier, labels) > 0
        return tf.where(remembered, 1.0, tf.where(told, -1.0, 0.0))


def test_what_is_known_by_heart_is_right_from_the_second_instance_on(learner):
    # All examples of a class are one point.
    episodes = Episodes(points(0.0), **SETTINGS)
    by_prototypes = evaluate_instances(
        learner, episodes, num_episodes=600, seen_classes=()
    )
    assert (by_prototypes.right[:, 1:] == WAYS).all()
    assert (by_prototypes.right[:, 0] == 0).all() and not by_prototypes.guesses
    assert "The 1st is always wrong" in str(by_prototypes)

    guessing = evaluate_instances(
        Lookup(identity()), episodes, num_episodes=1000, seen_classes=()
    )
    assert (guessing.right[:, 1:] == WAYS).all() and guessing.guesses
    # Of the last class to come the label is known, of the one before one of two, ...
    expected = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    assert guessing.best_first == pytest.approx(expected)
    error = guessing.over_episode_draws(1) / 1.96
    assert abs(guessing.accuracy(1) - expected) < 4 * error
    assert error < 0.015
    assert "up to 52.08 %: labels that are taken are ruled out" in str(guessing)


def by_hand(episodes, count):
    """Right answers `(episodes, instances)` of prototypes, step by step, by NumPy."""
    right = np.zeros((count, INSTANCES), int)
    for episode in range(count):
        step, task = divmod(episode, episodes.tasks)
        if task == 0:
            examples, labels = InstanceSequences(episodes).batch(step)
        points, ways = examples[task].numpy(), labels[task].numpy().argmax(-1)
        for place, (point, way) in enumerate(zip(points, ways, strict=True)):
            distances = np.full(WAYS, np.inf)
            for other in set(ways[:place]):
                own = points[:place][ways[:place] == other]
                distances[other] = np.sum((own.mean(axis=0) - point) ** 2)
            instance = np.sum(ways[:place] == way)
            answered = np.isfinite(distances).any() and distances.argmin() == way
            right[episode, instance] += answered
    return right


def test_the_figures_recomputed_by_hand(found):
    episodes = Episodes(points(4.0), **SETTINGS, seed=2)
    expected = by_hand(episodes, 620)
    # Rounding alone may tip an answer.
    assert np.sum(found.right != expected) <= 2
    assert 0.3 < found.accuracy(2) < found.accuracy(5) < 0.99
    assert found.accuracy(3) == pytest.approx(found.right[:, 2].mean() / WAYS)
    ids = np.concatenate([episodes.class_ids(step) for step in range(13)])[:620]
    np.testing.assert_array_equal(found.episode_classes, ids)


def test_the_intervals_are_those_of_the_package(found):
    for instance in (2, 5):
        values = found.right[:, instance - 1] / WAYS
        np.testing.assert_array_equal(found.episode_accuracies(instance), values)
        assert found.over_episode_draws(instance) == over_episode_draws(values)
        expected = over_test_classes(
            values, found.episode_classes, found.class_clusters
        )
        assert found.over_test_classes(instance) == expected
    assert found.over_test_classes(1).ends is None
    for instance in (0, 6):
        with pytest.raises(ValueError, match="`instance` must be from 1 to 5"):
            found.episode_accuracies(instance)


class EachEpisodeAnew(PrototypicalNetwork):
    independent_embeddings = False


@pytest.mark.slow
def test_nothing_depends_on_how_it_is_computed(found, learner, monkeypatch):
    episodes = Episodes(points(4.0), **SETTINGS, seed=2)

    def again(learner):
        return evaluate_instances(
            learner, episodes, num_episodes=620, seen_classes=()
        ).to_json()

    expected = found.to_json()
    # Another measurement before, and embeddings made in each sequence anew.
    evaluate_instances(
        learner, Episodes(points(1.0), **SETTINGS), num_episodes=600, seen_classes=()
    )
    assert again(learner) == expected
    assert again(EachEpisodeAnew(identity())) == expected
    # A few tasks at a time.
    monkeypatch.setattr(module, "_MOST_NUMBERS", 20 * WAYS * INSTANCES * 4)
    assert again(EachEpisodeAnew(identity())) == expected


def test_a_result_is_read_as_it_was_kept(found):
    kept = json.loads(json.dumps(found.to_json()))
    check_type(kept, KeptInstances, "it")
    again = InstancesResult.from_json(kept)
    assert again.to_json() == found.to_json() and str(again) == str(found)
    assert found.protocol == {
        **{"table": "points", "ways": 4, "instances": 5, "tasks": 50, "seed": 2},
        **{"same_group": False, "allow_same_origin": False, "augment": None},
        **{"episodes": 620, "fingerprint": found.protocol["fingerprint"]},
    }
    for change in (
        {"right": kept["right"][1:]},
        {"right": [row[1:] for row in kept["right"]]},
        {"right": [[5] * 5, *kept["right"][1:]]},
        {"right": [[-1] * 5, *kept["right"][1:]]},
        {"classes": kept["classes"][:3]},
        {"episode_classes": kept["episode_classes"][1:]},
    ):
        with pytest.raises(ValueError, match="must"):
            InstancesResult.from_json({**kept, **change})


def test_it_is_said_in_a_line_for_each_instance(found):
    title, header, *lines = str(found).splitlines()
    assert title == (
        "4-way, 5 instances of each class on points, each before its label, inductive"
    )
    assert header.split() == ["instance", "accuracy", "over", "test", "classes"]
    for instance, line in zip(range(1, 6), lines, strict=False):
        shown = (
            f"{ordinal(instance)} {100 * found.accuracy(instance):.2f} ± "
            f"{100 * found.over_episode_draws(instance):.2f} %"
        )
        assert " ".join(line.split()).startswith(shown)
        assert line.endswith(found.over_test_classes(instance).text())
    assert lines[5].split() == ["chance", "25.00", "%"]


def test_places_in_words():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd"),
        "111th",
    ]


class Nowhere(PrototypicalNetwork):
    """No number at one step in some sequences."""

    def embedded_sequence_logits(self, embeddings, labels):
        logits = super().embedded_sequence_logits(embeddings, labels)
        wrong = (embeddings[:, 3:4, :1] > 5) & tf.fill(tf.shape(logits[:, 3:4]), True)
        there = tf.where(wrong, float("nan"), logits[:, 3:4])
        return tf.concat([logits[:, :3], there, logits[:, 4:]], axis=1)


def memory(ways):
    return MemoryAugmentedNetwork(
        identity(), ways, units=3, slots=4, width=3, heads=1, seed=0
    )


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: memory(5), {}, "`ways` must be 5, those that this MemoryAugmented"),
        (
            lambda: MAML(identity(), ways=4, task="regression"),
            {},
            "Received: a MAML, one of regression",
        ),
        (None, {"num_episodes": 599}, "`num_episodes` must be at least 600"),
        (None, {"seen_classes": None}, "`seen_classes` must name"),
        (None, {"seen_classes": ["points/class3"]}, "1 such classes"),
        (lambda: Nowhere(identity()), {}, "must answer with finite logits.*queries"),
    ],
)
def test_what_cannot_be_measured_is_refused(learner, make, options, message):
    made = learner if make is None else make()
    given = {"num_episodes": 600, "seen_classes": (), **options}
    with pytest.raises(ValueError, match=message):
        evaluate_instances(made, Episodes(points(1.0), **SETTINGS), **given)


def test_episodes_that_are_no_sequences_are_refused(learner):
    episodes = Episodes(points(1.0), ways=(2, 3), queries=2)
    with pytest.raises(ValueError, match="to be sequences"):
        evaluate_instances(learner, episodes, seen_classes=())


def test_a_network_that_reads_is_measured_by_its_own_pass(learner):
    episodes = Episodes(points(1.0), **SETTINGS)
    network = memory(WAYS)
    result = evaluate_instances(network, episodes, num_episodes=600, seen_classes=())
    assert result.guesses
    right = np.zeros((50, INSTANCES), int)
    examples, labels = InstanceSequences(episodes).batch(0)
    answered = network.sequence_logits(examples, labels).numpy().argmax(-1)
    ways = labels.numpy().argmax(-1)
    for task, step in zip(*np.nonzero(answered == ways), strict=True):
        right[task, np.sum(ways[task, :step] == ways[task, step])] += 1
    assert np.sum(result.right[:50] != right) <= 1
