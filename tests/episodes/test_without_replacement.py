"""Draws without replacement: in range, different, and uniform in any order."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from tfmeta.episodes import without_replacement
from tfmeta.episodes.without_replacement import draw_further, draw_without_replacement

STREAM = tf.constant([11, 5], tf.int64)
# Of the largest size: above and below the ratio at which the method changes.
FEW, ORDERED = 0, 10**9


@pytest.fixture(params=[FEW, ORDERED], ids=["few", "ordered"])
def ratio(request, monkeypatch):
    monkeypatch.setattr(without_replacement, "_RATIO", request.param)


@pytest.mark.usefixtures("ratio")
def test_ordered_selections_are_equally_likely():
    rows = 24_000
    drawn = draw_without_replacement(tf.fill([rows], 5), 5, 3, STREAM).numpy()
    assert drawn.dtype == np.int32
    codes = drawn @ [25, 5, 1]
    selections, counts = np.unique(codes, return_counts=True)
    assert len(selections) == 5 * 4 * 3
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.usefixtures("ratio")
def test_sizes_of_rows_are_kept():
    sizes = np.random.default_rng(0).integers(4, 300, size=5000)
    drawn = draw_without_replacement(tf.constant(sizes), 299, 4, STREAM).numpy()
    assert np.all((drawn >= 0) & (drawn < sizes[:, None]))
    assert all(len(set(row)) == 4 for row in drawn)
    # Every position of the order is uniform below the row's size.
    for column in drawn.T:
        tenths = np.floor(10 * (column + 0.5) / sizes).astype(int)
        expected = np.zeros(10)
        for size in sizes:
            cells = np.floor(10 * (np.arange(size) + 0.5) / size).astype(int)
            expected += np.bincount(cells, minlength=10) / size
        assert chisquare(np.bincount(tenths, minlength=10), expected).pvalue > 1e-4


@pytest.mark.usefixtures("ratio")
def test_all_of_a_row_can_be_drawn():
    drawn = draw_without_replacement(tf.fill([50], 6), 6, 6, STREAM).numpy()
    np.testing.assert_array_equal(
        np.sort(drawn, axis=1), np.tile(np.arange(6), (50, 1))
    )


@pytest.mark.usefixtures("ratio")
def test_is_a_function_of_the_stream():
    draw = [
        draw_without_replacement(tf.fill([9], 400), 400, 3, stream).numpy()
        for stream in (STREAM, STREAM, tf.constant([11, 6], tf.int64))
    ]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert np.any(draw[0] != draw[2])


@pytest.mark.usefixtures("ratio")
def test_further_numbers_are_uniform_over_what_is_left():
    taken = np.array([[4, 1], [0, 1], [5, 4], [2, 0]] * 6000, "int32")
    rows, size = len(taken), 6
    drawn = draw_further(tf.constant(taken), tf.fill([rows], size), size, 2, STREAM)
    drawn = drawn.numpy()
    assert drawn.dtype == np.int32
    for kind in range(4):
        left = sorted(set(range(size)) - set(taken[kind]))
        pairs = [(a, b) for a in left for b in left if a != b]
        found, counts = np.unique(drawn[kind::4], axis=0, return_counts=True)
        assert [tuple(pair) for pair in found] == sorted(pairs)
        assert chisquare(counts).pvalue > 1e-4


@pytest.mark.usefixtures("ratio")
def test_further_numbers_keep_the_sizes_of_rows():
    sizes = np.random.default_rng(0).integers(7, 300, size=4000)
    taken = draw_without_replacement(tf.constant(sizes), 299, 4, STREAM)
    stream = tf.constant([12, 5], tf.int64)
    drawn = draw_further(taken, tf.constant(sizes), 299, 3, stream).numpy()
    together = np.concatenate([taken.numpy(), drawn], axis=1)
    assert np.all((together >= 0) & (together < sizes[:, None]))
    assert (np.diff(np.sort(together, axis=1), axis=1) > 0).all()
    # Rows of 7 have nothing left.
    np.testing.assert_array_equal(np.sort(together[sizes == 7], axis=1)[:, 6], 6)


def test_both_methods_are_in_use():
    few = draw_without_replacement(tf.fill([3], 1000), 1000, 5, STREAM)
    ordered = draw_without_replacement(tf.fill([3], 300), 300, 5, STREAM)
    noise = tf.random.stateless_uniform([3, 300], STREAM).numpy()
    np.testing.assert_array_equal(ordered, np.argsort(-noise, axis=1)[:, :5])
    noise = tf.random.stateless_uniform([3, 1000], STREAM).numpy()
    assert np.any(few.numpy() != np.argsort(-noise, axis=1)[:, :5])
