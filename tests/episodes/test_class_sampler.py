import numpy as np
import pytest
import tensorflow as tf
from coded_tables import assert_uniform, chi_squared_p, coded_table, ordered_pair

from tfmeta.datasets import ClassTable
from tfmeta.episodes.class_sampler import ClassSampler
from tfmeta.episodes.streams import step_streams


def draw(sampler, tasks=500, steps=40, seed=17):
    """Class ids, `(steps * tasks, ways + distractors)`."""

    def at(step):
        return sampler.draw(tasks, step_streams(seed, step, 5))

    numbers = tf.data.Dataset.range(steps).map(at, num_parallel_calls=2)
    drawn = numbers.batch(steps).get_single_element().numpy()
    return drawn.reshape(-1, drawn.shape[-1])


def named_table(class_names, groups=None, origin_names=None):
    return ClassTable(
        name="named",
        examples=np.zeros(len(class_names)),
        offsets=np.arange(len(class_names) + 1),
        class_names=tuple(class_names),
        groups=None if groups is None else tuple(groups),
        group_level="alphabet",
        origin_names=None if origin_names is None else tuple(origin_names),
    )


def test_the_chi_squared_test_sees_a_bias():
    rng = np.random.default_rng(0)
    fair = rng.integers(0, 10, 20_000)
    loaded = np.where(rng.random(20_000) < 0.02, 3, fair)
    assert chi_squared_p(fair, 10) > 1e-4
    assert chi_squared_p(loaded, 10) < 1e-4


def test_shape_and_dtype():
    drawn = ClassSampler(coded_table([1] * 6), 4).draw(
        3, tuple(step_streams(0, tf.constant(0), 3))
    )
    assert drawn.shape == (3, 4)
    assert drawn.dtype == tf.int32


def test_classes_and_ordered_pairs_are_uniform():
    n = 7
    drawn = draw(ClassSampler(coded_table([1] * n), 4))
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    for position in range(4):
        assert_uniform(drawn[:, position], n)
    for i, j in ((0, 1), (1, 0), (2, 3), (0, 3)):
        assert_uniform(ordered_pair(drawn[:, i], drawn[:, j], n), n * (n - 1))


def test_all_classes_at_once_come_in_every_order():
    drawn = draw(ClassSampler(coded_table([1] * 4), 4))
    orders, cells = np.unique(drawn, axis=0, return_inverse=True)
    assert len(orders) == 24
    assert_uniform(cells, 24)


def test_steps_of_one_task_are_uniform_too():
    # One number from each of many streams, where hashed seeds would show.
    n = 6
    drawn = draw(ClassSampler(coded_table([1] * n), 2), tasks=1, steps=3000)
    assert_uniform(ordered_pair(drawn[:, 0], drawn[:, 1], n), n * (n - 1))


def test_pairs_from_many_classes_hardly_repeat():
    n, steps = 1200, 3000
    sampler = ClassSampler(named_table([f"c{i}" for i in range(n)]), 2)
    drawn = draw(sampler, tasks=1, steps=steps)
    distinct = len(np.unique(ordered_pair(drawn[:, 0], drawn[:, 1], n)))
    # Of n (n - 1) equally likely pairs, 3,000 draws repeat 3 on average.
    assert steps - distinct <= 15


def test_rotations_are_uniform_and_never_meet_their_origin():
    turned = coded_table([1] * 4).with_rotations()
    drawn = draw(ClassSampler(turned, 3), steps=60)
    origin, turn = drawn // 4, drawn % 4
    assert (np.diff(np.sort(origin, axis=1), axis=1) > 0).all()
    for position in range(3):
        assert_uniform(drawn[:, position], 16)
    origins = ordered_pair(origin[:, 0], origin[:, 2], 4)
    assert_uniform(origins * 16 + turn[:, 0] * 4 + turn[:, 2], 12 * 16)


def test_which_rotation_says_nothing_about_the_origins():
    # One task a step: every number drawn is the first of its stream.
    turned = coded_table([1] * 4).with_rotations()
    drawn = draw(ClassSampler(turned, 2), tasks=1, steps=3000)
    origins = ordered_pair(drawn[:, 0] // 4, drawn[:, 1] // 4, 4)
    for way in range(2):
        assert_uniform(origins * 4 + drawn[:, way] % 4, 12 * 4)


def test_rotations_meet_when_allowed():
    turned = coded_table([1] * 4).with_rotations()
    drawn = draw(ClassSampler(turned, 2, allow_same_origin=True), steps=40)
    assert_uniform(ordered_pair(drawn[:, 0], drawn[:, 1], 16), 16 * 15)
    assert (drawn[:, 0] // 4 == drawn[:, 1] // 4).any()


def test_origins_are_drawn_uniformly_however_many_classes_they_made():
    table = named_table(
        ["a", "b0", "b1", "b2", "c0", "c1"], origin_names=["a"] + ["b"] * 3 + ["c"] * 2
    )
    drawn = draw(ClassSampler(table, 2))
    origin = np.array([0, 1, 1, 1, 2, 2])[drawn]
    assert_uniform(ordered_pair(origin[:, 0], origin[:, 1], 3), 6)
    for number, (first, variants) in enumerate([(0, 1), (1, 3), (4, 2)]):
        if variants > 1:
            of_origin = drawn[:, 0][origin[:, 0] == number]
            assert_uniform(of_origin - first, variants)


GROUPS = "xyxzyxwyxzyx"  # x: 5 classes, y: 4, z: 2, w: 1; not contiguous


def test_a_task_comes_from_one_group_and_groups_are_uniform():
    table = named_table([f"c{i}" for i in range(12)], GROUPS)
    sampler = ClassSampler(table, 2, same_group=True)
    assert sampler.left_out_groups == ("w",)
    assert sampler.class_ids == tuple(i for i in range(12) if GROUPS[i] != "w")
    drawn = draw(sampler)
    group = np.array(["xyzw".index(g) for g in GROUPS])[drawn]
    assert (group[:, 0] == group[:, 1]).all()
    assert_uniform(group[:, 0], 3)
    for number, name in enumerate("xyz"):
        members = [i for i, g in enumerate(GROUPS) if g == name]
        place = np.full(12, -1)
        place[members] = range(len(members))
        pairs = place[drawn[group[:, 0] == number]]
        n = len(members)
        assert_uniform(ordered_pair(pairs[:, 0], pairs[:, 1], n), n * (n - 1))


def test_small_groups_are_named_in_order_and_never_drawn():
    table = named_table([f"c{i}" for i in range(12)], GROUPS)
    sampler = ClassSampler(table, 4, same_group=True)
    assert sampler.left_out_groups == ("z", "w")
    drawn = draw(sampler, steps=4)
    assert {GROUPS[c] for c in np.unique(drawn)} == {"x", "y"}
    assert set(np.unique(drawn)) == set(sampler.class_ids)


def test_groups_without_same_group_do_not_matter():
    ids = [f"c{i}" for i in range(12)]
    with_groups, without = named_table(ids, GROUPS), named_table(ids)
    np.testing.assert_array_equal(
        draw(ClassSampler(with_groups, 3), steps=2),
        draw(ClassSampler(without, 3), steps=2),
    )
    assert ClassSampler(with_groups, 3).left_out_groups == ()


def test_a_groups_size_counts_origins_unless_they_may_meet():
    turned = coded_table([1] * 5, groups="xxyyy").with_rotations()
    strict = ClassSampler(turned, 3, same_group=True)
    assert strict.left_out_groups == ("x",)
    origin = draw(strict, steps=2) // 4
    assert (origin >= 2).all()
    assert (np.diff(np.sort(origin, axis=1), axis=1) > 0).all()
    loose = ClassSampler(turned, 3, same_group=True, allow_same_origin=True)
    assert loose.left_out_groups == ()
    first_group = draw(loose)[:, 0] // 4 < 2
    assert_uniform(first_group.astype(int), 2)


def test_distractors_are_uniform_among_the_classes_that_are_left():
    n = 6
    sampler = ClassSampler(coded_table([1] * n), 2, distractors=2)
    drawn = draw(sampler)
    assert drawn.shape == (20_000, 4)
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    for i, j in ((0, 1), (0, 2), (1, 3), (2, 3)):
        assert_uniform(ordered_pair(drawn[:, i], drawn[:, j], n), n * (n - 1))
    # All four together: every order of four classes of six.
    _, cells = np.unique(drawn, axis=0, return_inverse=True)
    assert_uniform(cells, 6 * 5 * 4 * 3)


def test_distractors_leave_the_ways_alone():
    turned = coded_table([1] * 7).with_rotations()
    alone = draw(ClassSampler(turned, 3), steps=4)
    beside = draw(ClassSampler(turned, 3, distractors=2), steps=4)
    np.testing.assert_array_equal(beside[:, :3], alone)


def test_distractors_have_other_origins_and_uniform_rotations():
    turned = coded_table([1] * 4).with_rotations()
    drawn = draw(ClassSampler(turned, 2, distractors=2), steps=60)
    origins = np.sort(drawn // 4, axis=1)
    np.testing.assert_array_equal(origins, [range(4)] * len(origins))
    for way in range(4):
        assert_uniform(drawn[:, way], 16)
    assert_uniform(drawn[:, 1] % 4 * 4 + drawn[:, 2] % 4, 16)
    loose = ClassSampler(turned, 2, distractors=2, allow_same_origin=True)
    assert (draw(loose, steps=2)[:, 0] // 4 == draw(loose, steps=2)[:, 2] // 4).any()


def test_distractors_come_from_the_group_of_the_task():
    table = named_table([f"c{i}" for i in range(12)], GROUPS)
    sampler = ClassSampler(table, 2, same_group=True, distractors=2)
    assert sampler.left_out_groups == ("z", "w")
    drawn = draw(sampler, steps=4)
    groups = np.array(list(GROUPS))[drawn]
    assert (groups == groups[:, :1]).all()
    assert set(np.unique(drawn)) == set(sampler.class_ids)


def test_more_classes_with_distractors_than_there_are_names_all_counts():
    message = r"`ways \+ distractors` .* is 4\. .*ways \+ distractors = 3 \+ 2 = 5$"
    with pytest.raises(ValueError, match=message):
        ClassSampler(coded_table([1] * 4), 3, distractors=2)


def test_more_ways_than_classes_names_both_counts():
    with pytest.raises(ValueError, match=r"'coded', which is 4\. Received: ways=5"):
        ClassSampler(coded_table([1] * 4), 5)


def test_more_ways_than_origins_names_both_counts():
    turned = coded_table([1] * 4).with_rotations()
    with pytest.raises(ValueError, match=r"different origin.*is 4\. Received: ways=5"):
        ClassSampler(turned, 5)
    assert ClassSampler(turned, 16, allow_same_origin=True).class_ids == tuple(
        range(16)
    )
    with pytest.raises(ValueError, match=r"classes in table.*is 16\. .* ways=17"):
        ClassSampler(turned, 17, allow_same_origin=True)


def test_more_ways_than_the_largest_group_names_both_counts():
    table = coded_table([1] * 5, groups="xxyyy")
    with pytest.raises(ValueError, match=r"one alphabet of .* is 3\. Received: ways=4"):
        ClassSampler(table, 4, same_group=True)


def test_same_group_needs_groups():
    with pytest.raises(ValueError, match=r"`same_group=True` needs .*'coded'"):
        ClassSampler(coded_table([1] * 4), 2, same_group=True)
