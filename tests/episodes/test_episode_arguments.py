"""What may be asked of episodes, and what the errors say."""

import json

import numpy as np
import pytest
import tensorflow as tf
from coded_tables import (
    arrays,
    assert_same,
    coded_table,
)

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, RandomAffine


def test_numpy_integers_are_accepted():
    episodes = Episodes(
        coded_table([4] * 5),
        ways=(np.int32(2), np.int64(3)),
        shots=np.uint8(1),
        queries=np.int64(2),
        tasks=np.int16(3),
        seed=np.int64(4),
    )
    assert json.dumps(episodes.describe())
    first = next(iter(episodes.as_dataset(start=np.int64(1), steps=np.int32(2))))
    assert_same(arrays(first), arrays(episodes.batch(np.int32(1))))


def test_episodes_come_back_from_their_description():
    table = coded_table([6] * 5)
    episodes = Episodes(table, ways=(2, 4), shots=(1, 3), queries=2, tasks=2, seed=3)
    kept = json.loads(json.dumps(episodes.describe()))
    again = Episodes(table, **kept)
    assert again.describe() == kept
    assert_same(arrays(again.batch(7)), arrays(episodes.batch(7)))


def test_rarer_settings_are_described_where_they_are_used():
    table = coded_table([8] * 6)
    plain = Episodes(table, ways=3, queries=2).describe()
    # Figures that are kept name their episodes by exactly these.
    assert set(plain) == {
        *("ways", "shots", "queries", "tasks", "seed"),
        *("same_group", "allow_same_origin", "augment"),
    }
    settings = {"balanced": False, "unlabelled": 2, "distractors": 1}
    episodes = Episodes(table, ways=(2, 3), shots=(1, 3), queries=2, **settings)
    kept = json.loads(json.dumps(episodes.describe()))
    assert {name: kept[name] for name in settings} == settings
    again = Episodes(table, **kept)
    assert_same(arrays(again.batch(7)), arrays(episodes.batch(7)))


@pytest.mark.parametrize("name", ["ways", "shots", "queries", "tasks"])
@pytest.mark.parametrize(
    "value", [0, -1, True, 2.0, np.float32(2.0), "2", None, (3, 2), (1, 2, 3), [3, 2]]
)
def test_counts_that_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be an int .*Received: {name}"):
        Episodes(coded_table([4] * 5), **{"ways": 2, "queries": 2, name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"ways": 1},
        {"ways": (1, 3)},
        {"ways": (2, 3.0)},
        {"ways": (True, 3)},
        {"shots": (0, 2)},
        {"queries": (1, 2)},
        {"tasks": (1, 2)},
        {"unlabelled": -1},
        {"unlabelled": 1.0},
        {"unlabelled": True},
        {"distractors": -1},
        {"distractors": (1, 2)},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_arguments_that_are_refused(wrong):
    ((name, _),) = wrong.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        Episodes(coded_table([4] * 5), **{"ways": 2, "queries": 2, **wrong})


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"start": -1}, "start"),
        ({"start": 1.0}, "start"),
        ({"start": True}, "start"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"num_shards": 0}, "num_shards"),
        ({"num_shards": 2.0}, "num_shards"),
        ({"shard": -1}, "shard"),
        ({"shard": 1}, "shard"),
        ({"num_shards": 3, "shard": 3}, "shard"),
        ({"num_shards": 3, "shard": 0.5}, "shard"),
    ],
)
def test_parts_of_the_sequence_that_are_refused(wrong, name):
    episodes = Episodes(coded_table([4] * 5), ways=2, queries=2)
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        episodes.as_dataset(**wrong)


def test_steps_are_integers():
    episodes = Episodes(coded_table([4] * 5), ways=2, queries=2)
    with pytest.raises(TypeError, match="`step` must be an integer. Received: float32"):
        episodes.batch(tf.constant(1.0))


def test_too_few_examples_names_the_class_and_both_counts():
    with pytest.raises(ValueError, match=r"3 \+ 2 = 5, and class 'class2' has 4"):
        Episodes(coded_table([5, 5, 4, 3]), ways=2, shots=(1, 3), queries=2)


def test_too_few_examples_for_the_unlabelled_names_all_counts():
    message = (
        r"`shots \+ queries \+ unlabelled` must be at most .*"
        r"= 1 \+ 2 \+ 3 = 6, and class 'class1' has 5"
    )
    with pytest.raises(ValueError, match=message):
        Episodes(coded_table([6, 5, 6]), ways=2, queries=2, unlabelled=3)


def test_distractors_need_unlabelled_examples():
    with pytest.raises(ValueError, match="`unlabelled` must be at least 1.*=2, un"):
        Episodes(coded_table([6] * 6), ways=2, queries=2, distractors=2)


@pytest.mark.parametrize("shots", [3, (3, 3)])
def test_imbalance_needs_shots_that_differ(shots):
    with pytest.raises(ValueError, match=r"`balanced=False` .*Received: shots="):
        Episodes(coded_table([6] * 6), ways=2, shots=shots, queries=2, balanced=False)


@pytest.mark.parametrize("part", ["support_augment", "query_augment"])
def test_augment_is_for_both_parts_alone(part):
    table = coded_table([6] * 6)
    with pytest.raises(ValueError, match=f"must be None with it.*{part}=RandomAffine"):
        Episodes(
            table,
            ways=2,
            queries=2,
            augment=RandomAffine(),
            **{part: RandomAffine(5.0)},
        )


def test_too_few_classes_names_both_counts():
    with pytest.raises(ValueError, match=r"'coded', which is 4\. Received: ways=6"):
        Episodes(coded_table([9] * 4), ways=(2, 6))


def test_same_group_without_groups_is_refused():
    with pytest.raises(ValueError, match="needs a table with groups"):
        Episodes(coded_table([4] * 5), ways=2, queries=2, same_group=True)


def test_a_table_without_classes_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        Episodes(ClassTable("none", np.zeros((0, 3)), np.zeros(1), ()))
