import itertools
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from coded_tables import assert_uniform, coded_table, decode, draw, ordered_pair

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, RandomAffine


def arrays(batch):
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), batch)


def assert_same(ours, theirs):
    tf.nest.assert_same_structure(ours, theirs)
    pairs = zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True)
    for one, other in pairs:
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def check_batch(episodes, step):
    """All that a batch of a coded table must hold; returns the batch."""
    batch = arrays(episodes.batch(step))
    inputs, y = batch[:2]
    tasks, ways, shots, queries = (
        episodes.tasks,
        episodes.ways,
        episodes.shots,
        episodes.queries,
    )
    ids = episodes.class_ids(step)
    assert ids.shape == (tasks, ways) and ids.dtype == np.int32
    ways_vary = episodes.describe()["ways"] != ways
    assert ("support_mask" in inputs) == episodes.padded
    assert ("query_mask" in inputs) == ways_vary
    assert len(batch) == (3 if ways_vary else 2)
    support_mask = inputs.get("support_mask", np.ones((tasks, ways * shots), bool))
    query_mask = inputs.get("query_mask", np.ones((tasks, ways * queries), bool))
    if ways_vary:
        np.testing.assert_array_equal(batch[2], query_mask.astype("float32"))
        assert batch[2].dtype == np.float32

    for task in range(tasks):
        seen = {}
        by_part = {}
        labels = {
            "support": inputs["support_labels"][task].argmax(-1),
            "query": y[task],
        }
        masks = {"support": support_mask[task], "query": query_mask[task]}
        for part, mask in masks.items():
            pictures = inputs[part][task]
            assert not pictures[~mask].any()
            assert not labels[part][~mask].any()
            class_id, example, turn = decode(pictures[mask])
            if episodes.table.origin_names is not None:
                class_id = class_id * 4 + turn
            np.testing.assert_array_equal(ids[task][labels[part][mask]], class_id)
            assert (example < episodes.table.class_sizes[class_id]).all()
            by_part[part] = np.bincount(labels[part][mask], minlength=ways)
            for pair in zip(class_id.tolist(), example.tolist(), strict=True):
                assert pair not in seen, "one example twice in a task"
                seen[pair] = part
        real = ids[task] >= 0
        one_hot = inputs["support_labels"][task]
        np.testing.assert_array_equal(one_hot.sum(-1), masks["support"])
        assert set(np.unique(one_hot)) <= {0.0, 1.0}
        # The real ways come first, and every one has as many rows as the others.
        assert (np.diff(real.astype(int)) <= 0).all()
        assert len(set(ids[task][real])) == real.sum() >= episodes._ways_range[0]
        least, most = episodes._shots_range
        assert least <= by_part["support"][0] <= most
        np.testing.assert_array_equal(
            by_part["support"], np.where(real, by_part["support"][0], 0)
        )
        np.testing.assert_array_equal(by_part["query"], np.where(real, queries, 0))
    return batch


def pair_of(low, high):
    """An int or an ordered pair of ints."""
    ints = st.integers(low, high)
    return ints | st.tuples(ints, ints).map(lambda p: (min(p), max(p)))


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    ways=pair_of(2, 6),
    shots=pair_of(1, 3),
    queries=st.integers(1, 3),
    tasks=st.integers(1, 4),
    seed=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**62),
    rotations=st.booleans(),
)
def test_every_batch_keeps_the_contract(
    ways, shots, queries, tasks, seed, step, rotations
):
    table = coded_table([6, 9, 7, 6, 8, 12])
    episodes = Episodes(
        table.with_rotations() if rotations else table,
        ways=ways,
        shots=shots,
        queries=queries,
        tasks=tasks,
        seed=seed,
    )
    check_batch(episodes, step)


VARIANTS = {
    "fixed": {},
    "shots vary": {"shots": (1, 3)},
    "ways vary": {"ways": (2, 4), "shots": 3},
    "both vary": {"ways": (2, 4), "shots": (1, 3)},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("uint8", (4, 4, 1)), ("float32", (5,)), ("uint16", (2, 3, 4, 1)), ("S4", ())],
)
def test_shapes_and_dtypes_of_the_contract(variant, dtype, shape):
    examples = np.ones((40, *shape), "uint8").astype(dtype)
    table = ClassTable("plain", examples, np.arange(0, 41, 8), tuple("abcde"))
    settings = {"ways": 4, "shots": 3, **VARIANTS[variant]}
    episodes = Episodes(table, queries=2, tasks=6, **settings)
    example_dtype = tf.string if dtype == "S4" else tf.as_dtype(dtype)
    inputs = {
        "support": tf.TensorSpec((6, 12, *shape), example_dtype),
        "support_labels": tf.TensorSpec((6, 12, 4), tf.float32),
        "query": tf.TensorSpec((6, 8, *shape), example_dtype),
    }
    y = tf.TensorSpec((6, 8), tf.int32)
    expected = (inputs, y)
    if variant != "fixed":
        inputs["support_mask"] = tf.TensorSpec((6, 12), tf.bool)
    if variant in ("ways vary", "both vary"):
        inputs["query_mask"] = tf.TensorSpec((6, 8), tf.bool)
        expected = (inputs, y, tf.TensorSpec((6, 8), tf.float32))
    dataset = episodes.as_dataset()
    assert dataset.element_spec == expected
    batch = episodes.batch(0)
    assert_same(arrays(batch), arrays(next(iter(dataset))))
    assert tf.nest.map_structure(tf.TensorSpec.from_tensor, batch) == expected
    assert episodes.padded == (variant != "fixed")
    if variant in ("ways vary", "both vary"):
        support, mask = batch[0]["support"].numpy(), batch[0]["support_mask"].numpy()
        assert not mask.all()
        assert np.all(support[~mask] == (b"" if dtype == "S4" else 0))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "int64"])
def test_examples_travel_bit_for_bit_in_every_dtype(dtype):
    check_batch(Episodes(coded_table([5] * 6, dtype=dtype), ways=(2, 5), queries=2), 3)


def test_string_examples_travel_and_blank_rows_are_empty():
    names = np.array([f"{c}{i}" for c in "abcd" for i in range(4)])
    table = ClassTable("words", names, np.arange(0, 17, 4), tuple("abcd"))
    episodes = Episodes(table, ways=(2, 4), queries=2, tasks=8)
    inputs, y, weight = arrays(episodes.batch(1))
    ids = episodes.class_ids(1)
    assert (weight == 0).any()
    for task in range(8):
        for word, label, real in zip(
            inputs["query"][task], y[task], weight[task], strict=True
        ):
            expected = "abcd"[ids[task, label]] if real else ""
            assert word.decode()[:1] == expected


SETTINGS = {
    "fixed": {"ways": 3, "shots": 2, "queries": 2, "tasks": 3},
    "varying": {"ways": (2, 4), "shots": (1, 3), "queries": 1, "tasks": 3},
    "one group": {"ways": 2, "queries": 2, "tasks": 3, "same_group": True},
    "augmented": {"ways": 3, "queries": 2, "tasks": 2, "augment": RandomAffine()},
}


@pytest.fixture(params=SETTINGS)
def episodes(request):
    table = coded_table([5, 6, 5, 7, 5, 8], groups="xyxyxy")
    return Episodes(table, seed=5, **SETTINGS[request.param])


def test_any_step_at_once_equals_iteration(episodes):
    sequence = [arrays(batch) for batch in episodes.as_dataset(steps=6)]
    assert len(sequence) == 6
    for step in (4, 0, 5):
        assert_same(arrays(episodes.batch(step)), sequence[step])
        assert_same(arrays(episodes.batch(tf.constant(step))), sequence[step])
    for step, batch in enumerate(episodes.as_dataset(start=2, steps=4), 2):
        assert_same(arrays(batch), sequence[step])
    skipped = episodes.as_dataset().skip(3).take(2)
    begun = episodes.as_dataset(start=3).take(2)
    for one, other in zip(skipped, begun, strict=True):
        assert_same(arrays(one), arrays(other))


def test_indices_and_class_ids_are_the_same_in_a_graph(episodes):
    in_graph = draw(episodes, 3)
    for step in (2, 0):
        rows = slice(step * episodes.tasks, (step + 1) * episodes.tasks)
        eager = episodes.indices(step)
        for alone, many in zip(eager, in_graph, strict=True):
            np.testing.assert_array_equal(alone, many[rows])
        real = eager.query_mask.numpy()[:, :, 0]
        expected = np.where(real, eager.classes.numpy(), -1)
        np.testing.assert_array_equal(episodes.class_ids(step), expected)


def test_far_steps_are_reached_at_once(episodes):
    far = 2**40
    batch = next(iter(episodes.as_dataset(start=far)))
    assert_same(arrays(batch), arrays(episodes.batch(far)))


def test_indices_have_the_promised_shapes_and_dtypes(episodes):
    tasks, ways, shots, queries = (
        episodes.tasks,
        episodes.ways,
        episodes.shots,
        episodes.queries,
    )
    drawn = episodes.indices(0)
    expected = {
        "classes": ((tasks, ways), tf.int32),
        "support": ((tasks, ways, shots), tf.int64),
        "query": ((tasks, ways, queries), tf.int64),
        "support_mask": ((tasks, ways, shots), tf.bool),
        "query_mask": ((tasks, ways, queries), tf.bool),
    }
    for name, tensor in drawn._asdict().items():
        assert (tensor.shape, tensor.dtype) == expected[name]


SAME_IN_EVERY_PROCESS = """
from coded_tables import coded_table, digest
from tfmeta.episodes import Episodes, RandomAffine
table = coded_table([6, 9, 6, 7, 6, 8, 6, 6], groups="xyxyzyxz").with_rotations()
print(digest(Episodes(
    table, ways=(2, 3), shots=(1, 2), queries=2, tasks=4, seed=2**40 + 1,
    same_group=True, augment=RandomAffine(),
)))
"""


def test_same_seed_same_episodes_in_another_process(capsys):
    exec(SAME_IN_EVERY_PROCESS, {})
    here = capsys.readouterr().out
    other = subprocess.run(
        [sys.executable, "-c", SAME_IN_EVERY_PROCESS],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
    )
    assert other.returncode == 0, other.stderr
    assert other.stdout == here
    assert len(here.strip()) == 64


GOLDEN_CLASSES = [[66, 11, 35], [99, 142, 85]]
GOLDEN_SUPPORT = [[19, 5, 11], [3, 9, 18]]
GOLDEN_QUERY = [[[17, 11], [13, 6], [13, 9]], [[1, 19], [12, 14], [11, 13]]]


def test_episodes_of_a_seed_stay_the_same_from_version_to_version():
    # Resumed runs and published figures name their episodes by the seed alone.
    turned = coded_table([20] * 50).with_rotations()
    drawn = Episodes(turned, ways=3, queries=2, tasks=2, seed=7).indices(10)
    assert drawn.classes.numpy().tolist() == GOLDEN_CLASSES
    assert (drawn.support.numpy()[..., 0] % 20).tolist() == GOLDEN_SUPPORT
    assert (drawn.query.numpy() % 20).tolist() == GOLDEN_QUERY


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


def test_disjoint_episodes_pass():
    table = coded_table([4] * 9)
    parts = [
        Episodes(table.take_classes(ids), ways=3, queries=2)
        for ids in (range(3), range(3, 6), range(6, 9))
    ]
    parts[0].check_disjoint(*parts[1:])
    parts[0].check_disjoint()
    # Equal class names of two data sets are two classes.
    same_names = Episodes(coded_table([4] * 9, name="other"), ways=3, queries=2)
    parts[0].check_disjoint(same_names)


def test_shared_classes_are_counted_and_named():
    table = coded_table([4] * 9)
    train = Episodes(table.take_classes(range(8)), ways=3, queries=2)
    fine = Episodes(table.take_classes([8]).with_rotations(), **FEW_TURNS)
    test = Episodes(table.take_classes([8, 7, 3]), ways=3, queries=2)
    with pytest.raises(ValueError, match=r"2 shared.* coded/class3, coded/class7$"):
        train.check_disjoint(fine, test)
    with pytest.raises(ValueError, match=r"8 shared") as error:
        train.check_disjoint(train)
    assert str(error.value).count("coded/class") == 5


FEW_TURNS = {"ways": 4, "queries": 2, "allow_same_origin": True}


def test_a_rotation_is_not_disjoint_from_its_character():
    table = coded_table([4] * 4)
    upright = Episodes(table.take_classes([0, 1, 2]), ways=3, queries=2)
    # Classes 12 to 15 of the turned table are the turns of class 3, 9 is of 2.
    turned = table.with_rotations()
    other = Episodes(turned.take_classes([12, 13, 14, 15]), **FEW_TURNS)
    upright.check_disjoint(other)
    mixed = Episodes(turned.take_classes([9, 13, 14, 15]), **FEW_TURNS)
    with pytest.raises(ValueError, match=r"1 shared, among them coded/class2$"):
        upright.check_disjoint(mixed)


def test_classes_of_left_out_groups_are_not_shared():
    table = coded_table([4] * 6, "wxxyyy")
    first = Episodes(table, ways=2, queries=2, same_group=True)
    only_w = Episodes(table.take_classes([0]).with_rotations(), **FEW_TURNS)
    first.check_disjoint(only_w)


@pytest.mark.parametrize("num_shards", [2, 3, 6])
def test_shards_together_are_the_sequence(num_shards):
    episodes = Episodes(coded_table([4] * 5), ways=2, queries=2, tasks=2)
    sequence = [arrays(batch) for batch in episodes.as_dataset(start=4, steps=5)]
    places = []
    for shard in range(num_shards):
        dataset = episodes.as_dataset(
            start=4, steps=5, num_shards=num_shards, shard=shard
        )
        own = list(range(shard, 5, num_shards))
        assert dataset.cardinality() == len(own)
        for place, batch in zip(own, dataset, strict=True):
            assert_same(arrays(batch), sequence[place])
        places += own
    assert sorted(places) == list(range(5))


def test_cardinality():
    episodes = Episodes(coded_table([4] * 5), ways=2, queries=2)
    assert episodes.as_dataset(steps=7).cardinality() == 7
    assert episodes.as_dataset(start=3, steps=7).cardinality() == 7
    for endless in (
        episodes.as_dataset(),
        episodes.as_dataset(start=9, num_shards=2, shard=1),
    ):
        assert endless.cardinality() == tf.data.INFINITE_CARDINALITY


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


@pytest.mark.parametrize("name", ["ways", "shots", "queries", "tasks"])
@pytest.mark.parametrize(
    "value", [0, -1, True, 2.0, np.float32(2.0), "2", None, (3, 2), (1, 2, 3), [2, 3]]
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


def test_too_few_classes_names_both_counts():
    with pytest.raises(ValueError, match=r"'coded', which is 4\. Received: ways=6"):
        Episodes(coded_table([9] * 4), ways=(2, 6))


def test_same_group_without_groups_is_refused():
    with pytest.raises(ValueError, match="needs a table with groups"):
        Episodes(coded_table([4] * 5), ways=2, queries=2, same_group=True)


def test_a_table_without_classes_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        Episodes(ClassTable("none", np.zeros((0, 3)), np.zeros(1), ()))


def test_other_examples_keep_the_draws():
    table = coded_table([4] * 5)
    episodes = Episodes(table, ways=(2, 4), shots=(1, 2), queries=2, tasks=3, seed=8)
    others = np.arange(20, dtype="float32")
    moved = episodes.with_examples(others)
    assert moved.describe() == episodes.describe()
    drawn = episodes.indices(6)
    for one, other in zip(drawn, moved.indices(6), strict=True):
        np.testing.assert_array_equal(one, other)
    support = moved.batch(6)[0]["support"].numpy()
    expected = np.where(drawn.support_mask, drawn.support, 0)
    np.testing.assert_array_equal(support, expected.reshape(3, -1))
    with pytest.raises(ValueError, match="`offsets`"):
        episodes.with_examples(others[:-1])


def test_augmentation_leaves_the_draws_alone():
    table = coded_table([4] * 5)
    settings = {"ways": (2, 4), "queries": 2, "tasks": 3, "seed": 8}
    plain = Episodes(table, **settings)
    still = Episodes(table, augment=RandomAffine(0.0, 0.0, 0.0, 0.0), **settings)
    moved = Episodes(table, augment=RandomAffine(), **settings)
    assert_same(arrays(still.batch(2)), arrays(plain.batch(2)))
    for one, other in zip(moved.indices(2), plain.indices(2), strict=True):
        np.testing.assert_array_equal(one, other)
    ours, theirs = arrays(moved.batch(2)), arrays(plain.batch(2))
    for part in ("support", "query"):
        assert (ours[0].pop(part) != theirs[0].pop(part)).any()
    assert_same(ours, theirs)


def test_support_and_query_are_augmented_apart_and_padding_stays_blank():
    def brighter(examples, stream):
        tf.debugging.assert_rank(examples, 4)
        return examples + 10.0 + tf.random.stateless_uniform([], stream)

    table = coded_table([4] * 5, dtype="float32")
    settings = {"ways": (2, 4), "queries": 2, "tasks": 6, "seed": 8}
    plain, bright = (
        Episodes(table, **settings),
        Episodes(table, augment=brighter, **settings),
    )
    added = []
    for step, part in itertools.product((0, 1), ("support", "query")):
        before = plain.batch(step)[0][part].numpy()
        inputs = arrays(bright.batch(step)[0])
        mask = inputs[f"{part}_mask"]
        assert not mask.all()
        assert not inputs[part][~mask].any()
        more = inputs[part][mask] - before[mask]
        np.testing.assert_allclose(more, more.flat[0], rtol=1e-6)
        added.append(round(float(more.flat[0]), 4))
    assert len(set(added)) == 4
