import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from coded_tables import (
    arrays,
    assert_same,
    check_batch,
    coded_table,
    draw,
)

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, RandomAffine


def pair_of(low, high):
    """An int or an ordered pair of ints."""
    ints = st.integers(low, high)
    return ints | st.tuples(ints, ints).map(lambda p: (min(p), max(p)))


@hypothesis.settings(max_examples=25, deadline=None)
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


def test_class_ids_of_any_step_are_those_of_its_batch(episodes):
    # Several are drawn at once: the ends of a block, another one, the first again.
    for step in (0, 31, 32, 100, 2**40 + 7, 5):
        drawn = episodes.indices(step)
        real = drawn.query_mask.numpy()[:, :, 0]
        np.testing.assert_array_equal(
            episodes.class_ids(step), np.where(real, drawn.classes, -1)
        )
        np.testing.assert_array_equal(episodes.distractor_ids(step), drawn.distractors)


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
        "query_ways": ((tasks, ways, queries), tf.int32),
        "support_mask": ((tasks, ways, shots), tf.bool),
        "query_mask": ((tasks, ways, queries), tf.bool),
        "distractors": ((tasks, 0), tf.int32),
        "unlabelled": ((tasks, 0), tf.int64),
        "unlabelled_mask": ((tasks, 0), tf.bool),
    }
    for name, tensor in drawn._asdict().items():
        assert (tensor.shape, tensor.dtype) == expected[name]


def test_rarer_episodes_of_a_seed_stay_the_same_too():
    turned = coded_table([20] * 50).with_rotations()
    episodes = Episodes(
        turned,
        ways=3,
        shots=(1, 9),
        queries=2,
        tasks=2,
        seed=7,
        balanced=False,
        unlabelled=2,
        distractors=1,
    )
    drawn = episodes.indices(10)
    assert drawn.classes.numpy().tolist() == GOLDEN_CLASSES
    assert drawn.support_mask.numpy().sum(2).tolist() == GOLDEN_SHOTS
    assert drawn.distractors.numpy().tolist() == GOLDEN_DISTRACTORS
    assert drawn.unlabelled.numpy().tolist() == GOLDEN_UNLABELLED


GOLDEN_SHOTS = [[4, 8, 9], [8, 3, 3]]
GOLDEN_DISTRACTORS = [[108], [0]]
GOLDEN_UNLABELLED = [
    [1325, 708, 718, 1332, 220, 224, 2173, 2171],
    [1984, 2845, 2858, 1703, 0, 11, 1702, 1995],
]
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


def brighter(examples, stream):
    tf.debugging.assert_rank(examples, 4)
    return examples + 10.0 + tf.random.stateless_uniform([], stream)


def test_support_and_query_are_augmented_apart_and_padding_stays_blank():
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


def test_either_part_can_be_augmented_alone():
    table = coded_table([6] * 5, dtype="float32")
    settings = {"ways": 3, "queries": 2, "tasks": 2, "unlabelled": 2}
    plain, both, support, query = (
        arrays(Episodes(table, **settings, **augment).batch(3)[0])
        for augment in (
            {},
            {"augment": brighter},
            {"support_augment": brighter},
            {"query_augment": brighter},
        )
    )
    for part in ("support", "query", "unlabelled"):
        assert (both[part] != plain[part]).all()
        changed, kept = (query, support) if part == "query" else (support, query)
        np.testing.assert_array_equal(changed[part], both[part])
        np.testing.assert_array_equal(kept[part], plain[part])
    # What is added is drawn anew for each part.
    added = {
        (both[part] - plain[part]).round(4).flat[0]
        for part in both
        if part in ("support", "query", "unlabelled")
    }
    assert len(added) == 3


def test_two_augmentations_are_described_apart():
    table = coded_table([6] * 5)
    first, second = RandomAffine(5.0), RandomAffine(7.0)
    settings = {"ways": 3, "queries": 2}
    described = Episodes(
        table, support_augment=first, query_augment=second, **settings
    ).describe()
    assert described["support_augment"] == repr(first)
    assert described["query_augment"] == repr(second)
    assert "augment" not in described
    same = Episodes(table, support_augment=first, query_augment=first, **settings)
    assert same.describe() == Episodes(table, augment=first, **settings).describe()
    assert same.augmented
    assert Episodes(table, query_augment=first, **settings).augmented
    assert not Episodes(table, **settings).augmented
