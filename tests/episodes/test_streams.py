import numpy as np
import pytest
import tensorflow as tf
from coded_tables import assert_uniform

from tfmeta.episodes.streams import check_seed, step_streams


def streams(seed, steps, count=8):
    """Int64 array of shape `(steps, count, 2)`."""
    numbers = tf.data.Dataset.range(steps)
    numbers = numbers.map(lambda step: tf.stack(step_streams(seed, step, count)))
    return numbers.batch(steps).get_single_element().numpy()


def test_shape_and_dtype():
    made = step_streams(3, tf.constant(5), 4)
    assert len(made) == 4
    assert all(s.shape == (2,) and s.dtype == tf.int64 for s in made)


def test_any_step_at_once_and_the_same_in_a_graph():
    in_graph = streams(7, 6)
    for step in (5, 0, 3):
        alone = np.stack(step_streams(7, tf.constant(step, tf.int64), 8))
        np.testing.assert_array_equal(alone, in_graph[step])


def test_a_stream_is_the_seed_with_step_and_number_folded_in():
    """Published figures and kept runs name their episodes by the seed alone."""
    for seed, step in ((0, 0), (7, 5), (2**63 - 1, 10**6)):
        at_step = tf.random.fold_in(
            tf.constant([seed, 0], tf.int64), tf.constant(step, tf.int64)
        )
        expected = [
            tf.random.fold_in(at_step, tf.constant(number, tf.int64))
            for number in range(17)
        ]
        made = step_streams(seed, tf.constant(step), 17)
        np.testing.assert_array_equal(np.stack(made), np.stack(expected))


def test_int32_steps_are_the_same_steps():
    narrow = np.stack(step_streams(7, tf.constant(9, tf.int32), 3))
    wide = np.stack(step_streams(7, tf.constant(9, tf.int64), 3))
    np.testing.assert_array_equal(narrow, wide)


def test_more_streams_leave_the_first_ones_alone():
    few, many = streams(1, 3, 2), streams(1, 3, 8)
    np.testing.assert_array_equal(few, many[:, :2])


def test_no_stream_occurs_twice_among_neighbouring_seeds_and_steps():
    seeds = [0, 1, 2, 3, 2**32, 2**32 + 1, 2**63 - 1]
    made = np.concatenate([streams(seed, 100).reshape(-1, 2) for seed in seeds])
    assert len(np.unique(made, axis=0)) == len(seeds) * 100 * 8
    # A stream is a hash of (seed, step) and its number: the hashes differ, too.
    assert len(np.unique(made[:, 0])) == len(seeds) * 100


@pytest.mark.parametrize(
    "neighbour",
    [
        pytest.param((0, 1, 0), id="step"),
        pytest.param((1, 0, 0), id="seed"),
        pytest.param((1, -1, 0), id="seed up, step down"),
        pytest.param((0, 0, 1), id="stream"),
    ],
)
def test_numbers_from_neighbours_are_independent(neighbour):
    seed_shift, step_shift, stream_shift = neighbour
    steps, bins = 2000, 5

    def numbers(seed, start, stream):
        steps_from = tf.data.Dataset.range(start, start + steps)
        drawn = steps_from.map(
            lambda step: tf.random.stateless_uniform(
                [], step_streams(seed, step, 3)[stream]
            )
        )
        return drawn.batch(steps).get_single_element().numpy()

    here = numbers(11, 1, 0)
    there = numbers(11 + seed_shift, 1 + step_shift, stream_shift)
    cells = (here * bins).astype(int) * bins + (there * bins).astype(int)
    assert_uniform(cells, bins * bins)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, np.int64(5), np.uint8(3)])
def test_seeds_that_are_accepted(seed):
    checked = check_seed(seed)
    assert checked == seed
    assert type(checked) is int


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", None, True, np.True_, (1, 2)])
def test_seeds_that_are_refused(seed):
    with pytest.raises(ValueError, match=r"`seed` must be an int.*Received: seed="):
        check_seed(seed)
