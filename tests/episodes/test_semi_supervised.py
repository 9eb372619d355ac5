"""Episodes with unlabelled examples and distractors."""

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from coded_tables import (
    arrays,
    assert_same,
    assert_uniform,
    check_batch,
    coded_table,
    decode,
    draw,
    ordered_pair,
)

from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    ways=st.sampled_from([2, 4, (2, 4)]),
    shots=st.sampled_from([1, (1, 2)]),
    unlabelled=st.integers(1, 3),
    distractors=st.integers(0, 2),
    seed=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**62),
    kind=st.sampled_from(["plain", "turned", "turned, meeting", "one group"]),
)
def test_every_batch_keeps_the_contract(
    ways, shots, unlabelled, distractors, seed, step, kind
):
    table = coded_table([6, 9, 7, 6, 8, 12, 6, 7], groups="xxxxxxxy")
    episodes = Episodes(
        table.with_rotations() if kind.startswith("turned") else table,
        ways=ways,
        shots=shots,
        queries=1,
        tasks=3,
        seed=seed,
        same_group=kind == "one group",
        allow_same_origin=kind == "turned, meeting",
        unlabelled=unlabelled,
        distractors=distractors,
    )
    check_batch(episodes, step)


def table_and_draws(steps=20, **settings):
    table = coded_table([5] * 5)
    settings = {"ways": 2, "queries": 1, "unlabelled": 1, "distractors": 1, **settings}
    drawn = draw(Episodes(table, tasks=300, **settings), steps)
    return drawn, drawn.unlabelled // 5, drawn.unlabelled % 5


def test_examples_are_uniform_for_ways_and_distractors():
    drawn, classes, examples = table_and_draws()
    for way in range(2):
        is_of_way = classes == drawn.classes[:, way, None]
        assert (is_of_way.sum(1) == 1).all()
        own = examples[is_of_way]
        assert_uniform(drawn.classes[:, way] * 5 + own, 25)
        # With the support and the query: every order of three of five examples.
        support, query = drawn.support[:, way, 0] % 5, drawn.query[:, way, 0] % 5
        together = np.stack([support, query, own], axis=1)
        orders, cells = np.unique(together, axis=0, return_inverse=True)
        assert len(orders) == 5 * 4 * 3
        assert_uniform(cells, 5 * 4 * 3)
    is_distractor = classes == drawn.distractors
    assert (is_distractor.sum(1) == 1).all()
    assert_uniform(drawn.distractors[:, 0] * 5 + examples[is_distractor], 25)
    assert_uniform(ordered_pair(drawn.classes[:, 0], drawn.distractors[:, 0], 5), 20)
    # Nor has a distractor's example to do with the first class's.
    first = drawn.support[:, 0, 0] % 5
    assert_uniform(first * 5 + examples[is_distractor], 25)


def test_the_order_gives_nothing_away():
    drawn, classes, _ = table_and_draws(unlabelled=2, distractors=1, steps=30)
    of = np.concatenate([drawn.classes, drawn.distractors], axis=1)
    kinds = (classes[:, :, None] == of[:, None, :]).argmax(2)
    orders, cells = np.unique(kinds, axis=0, return_inverse=True)
    assert len(orders) == 90  # 6! / (2! 2! 2!)
    assert_uniform(cells, 90)
    # Nor does it depend on which classes they are.
    assert_uniform(kinds[:, 0] * 5 + drawn.classes[:, 0], 15)


def test_of_one_class_examples_are_different_pairs():
    drawn, classes, examples = table_and_draws(unlabelled=3, distractors=0)
    for way in range(2):
        own = examples[classes == drawn.classes[:, way, None]].reshape(-1, 3)
        assert (np.diff(np.sort(own, axis=1), axis=1) > 0).all()
        assert_uniform(ordered_pair(own[:, 0], own[:, 2], 5), 20)


def test_unlabelled_examples_say_nothing_about_ways_or_the_order():
    # One task a step: every number drawn is the first of its stream.
    episodes = Episodes(
        coded_table([4] * 5),
        ways=(2, 4),
        queries=1,
        tasks=1,
        unlabelled=1,
        distractors=1,
    )
    drawn = draw(episodes, 2000)
    ways = drawn.query_mask[:, :, 0].sum(1) - 2
    first_class, first_example = drawn.unlabelled[:, 0] // 4, drawn.unlabelled[:, 0] % 4
    assert_uniform(ways * 5 + first_class, 15)
    assert_uniform(ways * 4 + first_example, 12)
    assert_uniform(first_class * 4 + first_example, 20)
    np.testing.assert_array_equal(drawn.unlabelled_mask.sum(1), ways + 3)


@pytest.mark.parametrize("shots", [1, (1, 3)])
@pytest.mark.parametrize("ways", [3, (2, 3)])
def test_support_and_query_are_the_same_without(ways, shots):
    table = coded_table([200] * 6 + [9] * 3)
    settings = {"ways": ways, "shots": shots, "queries": 2, "tasks": 4, "seed": 6}
    plain = arrays(Episodes(table, **settings).batch(5))
    more = arrays(Episodes(table, unlabelled=4, distractors=2, **settings).batch(5))
    assert more[0].pop("unlabelled").shape == (4, 20, 3, 3, 3)
    more[0].pop("unlabelled_mask", None)
    assert_same(more, plain)


def test_iteration_shards_and_a_single_step_agree():
    episodes = Episodes(
        coded_table([6] * 7),
        ways=(2, 3),
        queries=1,
        tasks=2,
        unlabelled=2,
        distractors=2,
    )
    sequence = [arrays(batch) for batch in episodes.as_dataset(start=3, steps=4)]
    for step, batch in enumerate(sequence, 3):
        assert_same(arrays(episodes.batch(step)), batch)
    odd = episodes.as_dataset(start=3, steps=4, num_shards=2, shard=1)
    for batch, same in zip(odd, sequence[1::2], strict=True):
        assert_same(arrays(batch), same)


def test_classes_of_distractors_count_as_seen():
    table = coded_table([4] * 6, "xxxyyy")
    # In a group of three, two ways leave one class to be the distractor.
    settings = {"ways": 2, "queries": 2, "same_group": True}
    train = Episodes(table, unlabelled=1, distractors=1, **settings)
    assert len(train.origins) == 6
    steps = [train.batch(step)[0]["unlabelled"] for step in range(20)]
    seen = {f"coded/class{c}" for c in np.unique(decode(tf.concat(steps, 1))[0])}
    assert seen == train.origins
    for class_id in range(6):
        other = Episodes(
            table.take_classes([class_id]).with_rotations(),
            ways=2,
            queries=2,
            allow_same_origin=True,
        )
        with pytest.raises(ValueError, match=f"1 shared, .* coded/class{class_id}$"):
            train.check_disjoint(other)


def test_groups_too_small_for_the_distractors_are_left_out(caplog):
    table = coded_table([4] * 7, "xxxxyyy")
    with caplog.at_level("WARNING", logger="tfmeta"):
        episodes = Episodes(
            table, ways=2, queries=1, same_group=True, unlabelled=1, distractors=2
        )
    assert episodes.left_out_groups == ("y",)
    assert "fewer than ways + distractors = 2 + 2 classes" in caplog.text
    assert episodes.origins == {f"coded/class{c}" for c in range(4)}


def test_a_learner_that_ignores_them_trains_and_predicts_as_without():
    def trained(**more):
        kernel = keras.initializers.GlorotUniform(seed=1)
        encoder = keras.Sequential(
            [
                keras.Input((3, 3, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(4, "tanh", kernel_initializer=kernel),
            ]
        )
        learner = PrototypicalNetwork(encoder)
        learner.compile("sgd", run_eagerly=True)
        episodes = Episodes(
            coded_table([6] * 7, dtype="float32"), ways=(2, 3), queries=2, **more
        )
        loss, _ = learner.train_on_batch(*episodes.batch(0))
        return loss, learner.predict_on_batch(episodes.batch(1)[0])

    for one, other in zip(trained(), trained(unlabelled=2, distractors=1), strict=True):
        np.testing.assert_array_equal(one, other)
