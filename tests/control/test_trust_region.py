"""Conjugate gradients and the line search against NumPy, in float64."""

import numpy as np
import tensorflow as tf

from tfmeta.control.trust_region import (
    backtracking_line_search,
    conjugate_gradients,
    flatten,
    full_step,
    unflatten,
)

RNG = np.random.default_rng(0)


def definite(size):
    root = RNG.normal(size=(size, size))
    return root @ root.T + np.eye(size)


def by_hand(matrix, right, iterations):
    x, left = np.zeros_like(right), right.copy()
    way = left.copy()
    for _ in range(iterations):
        across = matrix @ way
        square = left @ left
        length = square / (way @ across)
        x, left = x + length * way, left - length * across
        way = left + (left @ left) / square * way
    return x


def test_conjugate_gradients_are_those_of_numpy_at_every_iteration():
    matrix, right = definite(7), RNG.normal(size=7)
    solve = tf.function(conjugate_gradients)
    for iterations in (1, 3, 7):
        found = solve(
            lambda v: tf.linalg.matvec(matrix, v),
            tf.constant(right),
            iterations=iterations,
        )
        np.testing.assert_allclose(found, by_hand(matrix, right, iterations), rtol=1e-8)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-8)


def test_they_end_where_nothing_is_left():
    found = conjugate_gradients(lambda v: 2.0 * v, tf.constant([1.0, -4.0]))
    np.testing.assert_allclose(found, [0.5, -2.0])
    found = conjugate_gradients(lambda v: 2.0 * v, tf.zeros([3]))
    np.testing.assert_array_equal(found, np.zeros(3))


def test_what_is_not_finite_is_no_solution():
    found = conjugate_gradients(lambda v: v, tf.constant([1.0, np.nan]))
    assert np.isnan(found).all()
    found = conjugate_gradients(lambda v: v * np.inf, tf.constant([1.0, 2.0]))
    assert not np.isfinite(found).all()


def test_a_full_step_is_as_far_as_allowed():
    matrix, x = definite(4), RNG.normal(size=4)
    step = full_step(tf.constant(x), tf.constant(matrix @ x), max_kl=0.03).numpy()
    np.testing.assert_allclose(0.5 * step @ matrix @ step, 0.03, rtol=1e-12)
    np.testing.assert_allclose(step / np.linalg.norm(step), x / np.linalg.norm(x))
    assert np.isnan(full_step(tf.constant(x), tf.constant(-x), max_kl=0.03)).all()


def search(measured, start, step, **options):
    """By a loop of Python."""
    before, _ = measured(start)
    for number in range(options["backtracks"]):
        there = start + options["ratio"] ** number * step
        after, kl = measured(there)
        if after > before and kl <= options["max_kl"]:
            return there, after - before, kl, True
    return start, 0.0, 0.0, False


def test_line_search_is_that_of_numpy():
    centre = np.array([1.0, -1.0])

    def measured(x):
        return -((x - centre) ** 2).sum(), 0.5 * (x**2).sum()

    def in_graph(x):
        return -tf.reduce_sum((x - centre) ** 2), 0.5 * tf.reduce_sum(x**2)

    start = np.zeros(2)
    for step, max_kl in (
        ([0.1, -0.1], 1.0),  # The first is good.
        ([8.0, -8.0], 9.0),  # Too far: nothing is gained.
        ([1.0, -1.0], 0.2),  # Too far: the divergence.
        ([-1.0, 1.0], 9.0),  # The wrong way.
    ):
        options = {"max_kl": max_kl, "backtracks": 10, "ratio": 0.7}
        wanted = search(measured, start, np.array(step), **options)
        found = tf.function(
            lambda s, options=options: backtracking_line_search(
                in_graph, tf.constant(start), in_graph(start)[0], s, **options
            )
        )(tf.constant(step, tf.float64))
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_line_search_refuses_what_is_not_finite():
    start = tf.constant([1.0])
    for step in (np.nan, np.inf):
        found = backtracking_line_search(
            lambda x: (tf.reduce_sum(x), tf.zeros([])),
            start,
            tf.constant(1.0),
            tf.constant([step]),
            max_kl=1.0,
        )
        assert not found.accepted and found.parameters == start
    found = backtracking_line_search(
        lambda x: (tf.reduce_sum(x) * np.nan, tf.zeros([])),
        start,
        tf.constant(1.0),
        tf.constant([1.0]),
        max_kl=1.0,
    )
    assert not found.accepted and found.parameters == start


def test_vectors_become_tensors_again():
    parts = [RNG.normal(size=s) for s in ((2, 3), (3,), ())]
    back = unflatten(flatten([tf.constant(p) for p in parts]), [(2, 3), (3,), ()])
    for ours, theirs in zip(back, parts, strict=True):
        np.testing.assert_array_equal(ours, theirs)
