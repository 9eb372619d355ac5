"""Which classes and examples are drawn, and how often."""

import itertools
import logging

import numpy as np
import pytest
from coded_tables import (
    assert_uniform,
    check_batch,
    coded_table,
    draw,
    ordered_pair,
)

from tfmeta.episodes import Episodes


def test_equal_seeds_agree_and_others_do_not():
    table = coded_table([5] * 12)
    first, again, other = (
        draw(Episodes(table, queries=3, tasks=20, seed=s), 4) for s in (3, 3, 4)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.classes != other.classes).any(axis=1).mean() > 0.9


@pytest.mark.parametrize(
    ("seed_shift", "step_shift"), [(0, 1), (1, 0), (1, -1), (1, 1)]
)
def test_neighbouring_seeds_and_steps_share_no_more_than_chance(seed_shift, step_shift):
    classes, size = 4, 5
    table = coded_table([size] * classes)

    def numbers(seed, start):
        episodes = Episodes(table, ways=2, queries=2, tasks=250, seed=seed)
        drawn = draw(episodes, 40, start)
        pair = ordered_pair(drawn.classes[:, 0], drawn.classes[:, 1], classes)
        return pair, drawn.support[:, 0, 0] % size, drawn.query[:, 1, 0] % size

    here = numbers(20, 10)
    there = numbers(20 + seed_shift, 10 + step_shift)
    for one, other, cells in zip(here, there, (12, size, size), strict=True):
        assert_uniform(one * cells + other, cells * cells)


def test_examples_are_uniform_and_pairs_of_them_too():
    classes, size = 6, 5
    table = coded_table([size] * classes)
    drawn = draw(Episodes(table, ways=2, shots=2, queries=2, tasks=500), 40)
    rows = np.concatenate([drawn.support, drawn.query], axis=2)
    assert (np.diff(np.sort(rows, axis=2), axis=2) > 0).all()
    np.testing.assert_array_equal(
        rows // size, np.broadcast_to(drawn.classes[..., None], rows.shape)
    )
    for way, place in itertools.product(range(2), range(4)):
        assert_uniform(rows[:, way, place], classes * size)
    # First and second support, support and query, first and second query.
    for i, j in ((0, 1), (0, 2), (1, 3), (2, 3)):
        pairs = ordered_pair(rows[..., i] % size, rows[..., j] % size, size)
        assert_uniform(pairs, size * (size - 1))
    # Examples of two classes of one task have nothing to do with each other.
    assert_uniform(rows[:, 0, 0] % size * size + rows[:, 1, 0] % size, size**2)
    # Nor has an example's place with the class it is drawn for.
    assert_uniform(drawn.classes[:, 1] * size + rows[:, 0, 0] % size, classes * size)


def test_classes_examples_ways_and_shots_say_nothing_about_each_other():
    # One task a step: every number drawn is the first of its stream.
    size = 4
    episodes = Episodes(
        coded_table([size] * 4), ways=(2, 4), shots=(1, 3), queries=1, tasks=1
    )
    drawn = draw(episodes, 3000)
    parts = {
        "class": (drawn.classes[:, 0], 4),
        "other class": (drawn.classes[:, 3], 4),
        "example": (drawn.support[:, 0, 0] % size, size),
        "other example": (drawn.query[:, 3, 0] % size, size),
        "ways": (drawn.query_mask[:, :, 0].sum(1) - 2, 3),
        "shots": (drawn.support_mask[:, 0].sum(1) - 1, 3),
    }
    for (name, (one, n)), (other_name, (other, m)) in itertools.combinations(
        parts.items(), 2
    ):
        if (name, other_name) == ("class", "other class"):
            assert_uniform(ordered_pair(one, other, n), n * (n - 1))
        else:
            assert_uniform(one * m + other, n * m)


def test_examples_of_rotations_are_uniform():
    table = coded_table([3] * 3).with_rotations()
    drawn = draw(Episodes(table, ways=2, queries=2, tasks=500), 40)
    assert_uniform(drawn.support[:, 0, 0], 12 * 3)
    assert_uniform(drawn.query[:, 1, 1], 12 * 3)


def test_classes_of_unequal_size_use_all_their_own_rows_and_no_others():
    sizes = np.array([3, 8, 4, 6])
    table = coded_table(sizes)
    drawn = draw(Episodes(table, ways=4, shots=1, queries=2, tasks=400), 30)
    rows = np.concatenate([drawn.support, drawn.query], axis=2)
    within = rows - table.offsets[drawn.classes][..., None]
    assert (within >= 0).all()
    assert (within < sizes[drawn.classes][..., None]).all()
    for class_id, size in enumerate(sizes):
        of_class = within[drawn.classes == class_id]
        assert_uniform(of_class[:, 0], size)
        pairs = ordered_pair(of_class[:, 0], of_class[:, 2], size)
        assert_uniform(pairs, size * (size - 1))


def test_a_class_may_be_used_up_to_its_last_example():
    episodes = Episodes(coded_table([4, 6, 4]), ways=3, shots=1, queries=3, tasks=5)
    check_batch(episodes, 0)
    drawn = episodes.indices(0)
    rows = np.concatenate([drawn.support, drawn.query], axis=2)
    small = np.sort(rows[drawn.classes.numpy() == 2], axis=1)
    np.testing.assert_array_equal(small, [[10, 11, 12, 13]] * 5)


def test_ways_and_shots_vary_uniformly_and_independently():
    table = coded_table([6] * 7)
    episodes = Episodes(table, ways=(3, 7), shots=(1, 5), queries=1, tasks=500)
    drawn = draw(episodes, 30)
    ways = drawn.query_mask[:, :, 0].sum(1)
    shots = drawn.support_mask[:, 0].sum(1)
    # Ranges of one length, where shared numbers would show as equal draws.
    assert_uniform((ways - 3) * 5 + shots - 1, 5 * 5)
    # Nor do they depend on the first class.
    assert_uniform((ways - 3) * 7 + drawn.classes[:, 0], 5 * 7)
    way_is_real = np.arange(7) < ways[:, None]
    shot_is_real = np.arange(5) < shots[:, None]
    np.testing.assert_array_equal(
        drawn.support_mask, way_is_real[:, :, None] & shot_is_real[:, None]
    )
    np.testing.assert_array_equal(drawn.query_mask, way_is_real[..., None])


def test_padding_is_minus_one_in_class_ids_and_only_there():
    episodes = Episodes(coded_table([4] * 6), ways=(2, 5), queries=2, tasks=50)
    ids, drawn = episodes.class_ids(3), episodes.indices(3)
    real = drawn.query_mask.numpy()[:, :, 0]
    np.testing.assert_array_equal(ids >= 0, real)
    np.testing.assert_array_equal(ids[real], drawn.classes.numpy()[real])
    assert (ids[~real] == -1).all()
    assert not real.all()


def test_one_group_per_task_and_groups_uniform(caplog):
    groups = "xyxzyxwyxzyx"
    with caplog.at_level(logging.WARNING, logger="tfmeta"):
        episodes = Episodes(
            coded_table([4] * 12, groups),
            ways=2,
            queries=2,
            tasks=300,
            same_group=True,
        )
    assert episodes.left_out_groups == ("w",)
    (record,) = caplog.records
    assert record.getMessage() == (
        "1 of the alphabets of table 'coded' have fewer than ways=2 classes and are "
        "left out: w"
    )
    drawn = draw(episodes, 30).classes
    group = np.array(["xyzw".index(g) for g in groups])[drawn]
    assert (group == group[:, :1]).all()
    assert_uniform(group[:, 0], 3)
    assert episodes.origins == {
        f"coded/class{c}" for c in range(12) if groups[c] != "w"
    }


def test_nothing_is_logged_when_no_group_is_left_out(caplog):
    with caplog.at_level(logging.WARNING, logger="tfmeta"):
        Episodes(coded_table([4] * 4, "xxyy"), ways=2, queries=2, same_group=True)
        Episodes(coded_table([4] * 4, "xyyy"), ways=2, queries=2)
    assert not caplog.records


def test_classes_that_are_left_out_may_be_too_small():
    table = coded_table([2, 4, 4, 2, 4, 4], "wxxwyy").take_classes([0, 1, 2, 4, 5])
    episodes = Episodes(table, ways=2, queries=3, tasks=5, same_group=True)
    assert episodes.left_out_groups == ("w",)
    assert (episodes.class_ids(0) > 0).all()
    with pytest.raises(ValueError, match="'class0' has 2"):
        Episodes(table, ways=2, queries=3)


def test_rotations_of_one_character_meet_only_when_allowed():
    turned = coded_table([3] * 5).with_rotations()
    strict = Episodes(turned, ways=5, queries=2, tasks=100)
    origins = np.sort(strict.class_ids(0) // 4, axis=1)
    np.testing.assert_array_equal(origins, [range(5)] * 100)
    loose = Episodes(turned, ways=5, queries=2, tasks=100, allow_same_origin=True)
    ids = np.sort(loose.class_ids(0), axis=1)
    assert (np.diff(ids, axis=1) > 0).all()
    assert (np.diff(ids // 4, axis=1) == 0).any()
    check_batch(loose, 1)
