"""Tasks as sequences: the same examples, in an order that says nothing."""

import numpy as np
import pytest
from coded_tables import assert_uniform

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, InstanceSequences

WAYS, INSTANCES, TASKS = 3, 4, 5
CLASSES, EXAMPLES = 8, 6


def table():
    """Every example is its own row; its class is the row divided by 6."""
    rows = np.arange(CLASSES * EXAMPLES, dtype=np.float32)
    names = [f"class{int(row) // EXAMPLES}" for row in rows]
    return ClassTable.from_arrays("numbers", rows[:, None], names)


def sequences(**options):
    settings = {"ways": WAYS, "shots": 1, "queries": INSTANCES - 1, "tasks": TASKS}
    return InstanceSequences(Episodes(table(), **{**settings, **options}))


def test_a_sequence_has_the_examples_of_its_episode_with_their_labels():
    made = sequences(seed=3)
    assert made.instances == INSTANCES
    examples, labels = made.batch(2)
    assert examples.shape == (TASKS, WAYS * INSTANCES, 1)
    assert labels.shape == (TASKS, WAYS * INSTANCES, WAYS)
    drawn = made.episodes.indices(2)
    rows = np.concatenate([drawn.support, drawn.query], axis=-1)
    found = examples.numpy()[..., 0].astype(int)
    for task in range(TASKS):
        assert sorted(found[task]) == sorted(rows[task].ravel())
        way = labels.numpy()[task].argmax(-1)
        classes = made.episodes.class_ids(2)[task]
        np.testing.assert_array_equal(classes[way], found[task] // EXAMPLES)
    np.testing.assert_array_equal(labels.numpy().sum(axis=1), INSTANCES)
    # How a class is divided into support and queries changes nothing of that.
    assert sequences(shots=2, queries=2).instances == INSTANCES


def test_any_step_at_once_and_the_same_in_a_stream():
    made = sequences(seed=7)
    stream = list(made.as_dataset(steps=4))
    for step in (3, 0, 2, 3):
        for alone, streamed in zip(made.batch(step), stream[step], strict=True):
            np.testing.assert_array_equal(alone, streamed)
    others = [sequences(seed=8).batch(3), made.batch(1)]
    for other in others:
        assert not np.array_equal(other[0], stream[3][0])


def test_every_order_of_the_labels_is_as_likely():
    made = sequences(tasks=400, ways=2, queries=1, seed=1)
    orders = []
    for _, labels in made.as_dataset(steps=5):
        # Of two classes with two examples each there are six.
        orders += (labels.numpy()[..., 1] @ [8, 4, 2, 1]).astype(int).tolist()
    known, cells = np.unique(orders, return_inverse=True)
    assert known.tolist() == [3, 5, 6, 9, 10, 12]
    assert_uniform(cells, 6)


def test_no_two_tasks_of_a_batch_have_the_same_order():
    _, labels = sequences(tasks=50, ways=4, queries=5).batch(0)
    assert len(np.unique(labels.numpy().argmax(-1), axis=0)) == 50


@pytest.mark.parametrize(
    "options",
    [{"ways": (2, 3)}, {"shots": (1, 2)}, {"unlabelled": 1}, {"query_dirichlet": 2.0}],
)
def test_what_is_no_sequence_is_refused(options):
    with pytest.raises(ValueError, match="`episodes` must have a fixed number") as no:
        sequences(**{"queries": 1, "ways": 2, **options})
    assert next(iter(options)) in str(no.value)
