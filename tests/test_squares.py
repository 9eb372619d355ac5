"""Squared distances against float64 differences, wherever the embeddings lie."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.row_tables import RowTable, known_rows
from tfmeta.squares import common_offset, pairwise_squares, root


def by_differences(query, reference, weights=1.0):
    query, reference = (np.asarray(x, np.float64) for x in (query, reference))
    differences = query[..., :, None, :] - reference[..., None, :, :]
    return (np.asarray(weights, np.float64) * differences**2).sum(-1)


PLACES = {
    "one offset": lambda rng, rows: 1e4 * np.ones((rows, 1)),
    "an offset for each feature": lambda rng, rows: 1e4 * rng.normal(size=(1, 64)),
    "clusters far apart": lambda rng, rows: 1e4 * (np.arange(rows) % 2)[:, None],
    "one row far away": lambda rng, rows: 1e10 * (np.arange(rows) == 0)[:, None],
    "nowhere": lambda rng, rows: np.zeros((rows, 1)),
}


@pytest.mark.parametrize("references", [5, 20, 60])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("weighted", [False, True])
def test_differences_survive(place, references, weighted):
    rng = np.random.default_rng(references)
    reference = PLACES[place](rng, references) + rng.normal(size=(references, 64))
    own = rng.integers(references, size=100)
    query = (reference[own] + rng.normal(size=(100, 64))).astype("float32")
    reference = reference.astype("float32")
    weights = rng.uniform(1, 5, size=(references, 64)) if weighted else None
    found = pairwise_squares(query, reference, weights).numpy()
    expected = by_differences(query, reference, 1.0 if weights is None else weights)
    nearest = expected.min(axis=1)
    np.testing.assert_array_equal(found.argmin(axis=1), expected.argmin(axis=1))
    # Float32 itself knows no features closer than one unit in the last place.
    unit = np.spacing(np.abs(query).max(axis=1)).astype("float64")
    assert (np.abs(found.min(axis=1) - nearest) <= 1e-6 * nearest + 64 * unit**2).all()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_differences_from_rows_of_a_table_survive(place, dtype):
    """As they do from others, and no set of rows is made wide beside another."""
    rng = np.random.default_rng(5)
    tasks, queries, references = 6, 30, 5
    rows = PLACES[place](rng, 40) + rng.normal(size=(40, 64))
    rows = np.concatenate([np.zeros((1, 64)), rows]).astype(dtype)
    places = rng.integers(1, 41, size=(tasks, queries))
    own = rng.integers(1, 41, size=(tasks, references))
    reference = (rows[own] + rng.normal(size=(tasks, references, 64))).astype(dtype)
    table = RowTable(rows)

    @tf.function(autograph=False)
    def squares(places, reference):
        with known_rows():
            return pairwise_squares(table.gather(places), reference)

    found = squares(tf.constant(places), tf.constant(reference)).numpy()
    expected = by_differences(rows[places], reference)
    np.testing.assert_array_equal(found.argmin(axis=-1), expected.argmin(axis=-1))
    unit = np.spacing(np.abs(rows[places]).max(axis=-1).astype("float32"))
    allowed = 1e-6 * expected + 64 * (unit.astype("float64") ** 2)[..., None]
    assert (np.abs(found - expected) <= allowed).all() and (found >= 0).all()
    if dtype == "float64":
        return
    graph = squares.get_concrete_function(tf.constant(places), tf.constant(reference))
    widest = max(
        np.prod(output.shape)
        for operation in graph.graph.get_operations()
        for output in operation.outputs
        if output.dtype == tf.float64 and output.shape.rank
    )
    assert widest < tasks * queries * 64


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    exponent=st.integers(-12, 12),
    dtype=st.sampled_from(["float32", "float64"]),
    leading=st.lists(st.integers(1, 2), max_size=2),
    zeros=st.integers(0, 2),
)
def test_a_translation_changes_nothing(seed, exponent, dtype, leading, zeros):
    """By whole numbers of a power of two, which rounds no embedding."""
    rng = np.random.default_rng(seed)
    query, reference = (
        rng.integers(-8, 9, size=(*leading, n, 5)).astype(dtype) for n in (3, 4)
    )
    offset = np.asarray(rng.integers(-9, 10, size=5) * 2.0 ** max(exponent, 0), dtype)
    absent = np.zeros((*leading, zeros, 5), dtype)

    def squares(shift):
        rows = np.concatenate([reference + shift, absent], axis=-2)
        return pairwise_squares(query + shift, rows).numpy()[..., :4]

    expected = by_differences(query, reference)
    np.testing.assert_array_equal(squares(0 * offset), expected)
    np.testing.assert_array_equal(squares(offset), expected)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-20, 1.0, 1e15]))
def test_is_never_negative(seed, scale):
    rng = np.random.default_rng(seed)
    rows = (scale * (rng.normal(size=(6, 3)) + rng.choice([0.0, 1e5]))).astype("f")
    found = pairwise_squares(rows, rows[::-1] * np.float32(1 + 1e-7)).numpy()
    assert (found >= 0).all()
    itself = np.diag(pairwise_squares(rows, rows))
    size = (rows.astype("float64") ** 2).sum(1).max()
    assert (itself >= 0).all() and (itself <= 1e-14 * size).all()


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(number, jit_compile):
    rng = np.random.default_rng(0)
    query, reference = rng.normal(size=(3, 4)) + 1e4, rng.normal(size=(5, 4)) + 1e4
    query[1, 2] = reference[3, 0] = number
    squares = tf.function(pairwise_squares, jit_compile=jit_compile)
    found = squares(tf.constant(query), tf.constant(reference)).numpy()
    broken = np.zeros((3, 5), bool)
    broken[1], broken[:, 3] = True, True
    assert not np.isfinite(found[broken]).any()
    expected = by_differences(query, reference)[~broken]
    np.testing.assert_allclose(found[~broken], expected, rtol=1e-12)
    roots = tf.function(root, jit_compile=jit_compile)(tf.constant(found)).numpy()
    assert not np.isfinite(roots[broken]).any()
    np.testing.assert_allclose(roots[~broken], np.sqrt(expected), rtol=1e-12)


def test_gradients_do_not_depend_on_the_place():
    """Against the formula, to second order, also where the distance is 0."""
    rng = np.random.default_rng(0)
    query, reference = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    query[0] = reference[0]
    upstream = rng.normal(size=(3, 5))
    for offset in (0.0, 2.0**20):
        x = tf.constant(query + offset)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = tf.reduce_sum(
                    upstream * pairwise_squares(x, reference + offset)
                )
            slope = tape.gradient(total, x)
            size = tf.reduce_sum(slope)
        differences = x.numpy()[:, None] - (reference + offset)[None]
        expected = 2 * (upstream[..., None] * differences).sum(1)
        np.testing.assert_allclose(slope, expected, atol=1e-12)
        curvature = np.repeat(2 * upstream.sum(1, keepdims=True), 4, axis=1)
        np.testing.assert_allclose(outer.gradient(size, x), curvature, rtol=1e-12)


def test_the_offset_is_what_no_row_goes_below():
    rows = [[3.0, -2.0, 1.0], [5.0, -7.0, -1.0], [4.0, -3.0, 2.0]]
    np.testing.assert_array_equal(common_offset(tf.constant(rows)), [[3.0, -2.0, 0.0]])
    padded = [*rows, [0.0, 0.0, 0.0], [np.nan, 1.0, 1.0], [1.0, np.inf, 1.0]]
    np.testing.assert_array_equal(
        common_offset(tf.constant(padded)), [[3.0, -2.0, 0.0]]
    )


@pytest.mark.parametrize("rows", [0, 2])
def test_the_offset_of_nothing_is_0(rows):
    np.testing.assert_array_equal(
        common_offset(tf.zeros((2, rows, 3))), [[[0] * 3]] * 2
    )


@pytest.mark.parametrize("queries, references", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_empty_sets(queries, references, jit_compile):
    squares = tf.function(pairwise_squares, jit_compile=jit_compile)
    found = squares(tf.zeros((2, queries, 4)), tf.ones((2, references, 4)))
    assert found.shape == (2, queries, references)


def test_memory_does_not_grow_with_pairs_of_features():
    """No tensor of the graph holds a number for each feature of each pair."""
    shape = (None, 300, 64), (None, 60, 64)
    graph = tf.function(pairwise_squares).get_concrete_function(
        *(tf.TensorSpec(s, tf.float32) for s in shape)
    )
    sizes = [
        np.prod([size or 1 for size in output.shape])
        for operation in graph.graph.get_operations()
        for output in operation.outputs
    ]
    assert max(sizes) <= max(300 * 64, 300 * 60)
