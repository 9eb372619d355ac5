"""The three memberships of Ren et al., one example and one class at a time."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfmeta.learners.metric_based.soft_k_means import (
    MaskedSoftKMeans,
    SoftKMeans,
    SoftKMeansWithDistractor,
)

FORMS = (SoftKMeans, SoftKMeansWithDistractor, MaskedSoftKMeans)


def make(form, seed=0):
    """A form in float64 whose weights are none of those it begins with."""
    k_means = form(dtype="float64")
    rng = np.random.default_rng(seed)
    k_means.set_weights([rng.normal(size=w.shape) for w in k_means.weights])
    return k_means


def by_hand(k_means, prototypes, present, unlabelled, is_real):
    """Memberships of one task, in the words of the paper."""
    shares = np.zeros((len(unlabelled), len(prototypes)))
    rows, classes = np.flatnonzero(is_real), np.flatnonzero(present)
    gaps = np.array(
        [[np.sum((x - p) ** 2) for p in prototypes] for x in unlabelled]
    ).reshape(shares.shape)
    for j in rows:
        terms = {c: np.exp(-gaps[j, c]) for c in classes}
        rest = 0.0
        if isinstance(k_means, SoftKMeansWithDistractor):
            r = np.exp(k_means.get_weights()[0])

            def a(radius):
                return 0.5 * np.log(2 * np.pi) + np.log(radius)

            terms = {c: np.exp(-gaps[j, c] - a(1.0)) for c in classes}
            rest = np.exp(-np.sum(unlabelled[j] ** 2) / r**2 - a(r))
        for c in classes:
            shares[j, c] = terms[c] / (sum(terms.values()) + rest)
    if isinstance(k_means, MaskedSoftKMeans):
        w1, b1, w2, b2 = k_means.get_weights()
        for c in classes:
            d = gaps[rows, c] / gaps[rows, c].mean()
            features = [d.min(), d.max(), d.var()]
            features += [scipy.stats.skew(d), scipy.stats.kurtosis(d)]
            beta, gamma = np.exp(np.tanh(features @ w1 + b1) @ w2 + b2)
            shares[rows, c] *= 1 / (1 + np.exp(gamma * (d - beta)))
    return shares


def make_task(tasks=2, ways=4, rows=7, features=3, seed=1):
    rng = np.random.default_rng(seed)
    present = np.array([[True, True, False, True], [True, False, True, True]])
    return (
        0.8 * rng.normal(size=(tasks, ways, features)),
        present,
        0.8 * rng.normal(size=(tasks, rows, features)),
        rng.random((tasks, rows)) < 0.8,
    )


@pytest.mark.parametrize("form", FORMS)
def test_memberships(form):
    k_means = make(form)
    task = make_task()
    shares = k_means.memberships(*map(tf.constant, task)).numpy()
    expected = np.stack([by_hand(k_means, *parts) for parts in zip(*task, strict=True)])
    np.testing.assert_allclose(shares, expected, rtol=1e-10, atol=1e-14)
    assert (shares.sum(-1) <= 1 + 1e-12).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_and_equal_examples_are_finite_with_gradients(form, rows):
    """None, one, or all in one place: statistics have nothing to go by."""
    k_means = make(form)
    prototypes, present, _, _ = map(tf.constant, make_task())
    unlabelled = tf.zeros((2, rows, 3), tf.float64)
    for is_real in (tf.ones((2, rows), tf.bool), tf.zeros((2, rows), tf.bool)):
        with tf.GradientTape() as tape:
            tape.watch([prototypes, unlabelled])
            shares = k_means.memberships(prototypes, present, unlabelled, is_real)
        assert shares.shape == (2, rows, 4)
        gradients = tape.gradient(shares, [prototypes, unlabelled])
        for array in (shares, *gradients):
            assert np.isfinite(array).all()


@pytest.mark.parametrize("form", FORMS)
def test_no_class_at_all(form):
    prototypes, present, unlabelled, is_real = map(tf.constant, make_task())
    shares = make(form).memberships(
        prototypes, tf.zeros_like(present), unlabelled, is_real
    )
    assert not shares.numpy().any()


def test_what_is_near_the_origin_and_no_class_is_a_distractor():
    k_means = SoftKMeansWithDistractor(dtype="float64")
    np.testing.assert_allclose(np.exp(k_means.get_weights()[0]), 100.0)
    prototypes = tf.constant([[[9.0, 0.0], [0.0, 9.0]]], tf.float64)
    unlabelled = tf.constant([[[0.0, 0.0], [8.5, 0.0], [0.0, 9.5]]], tf.float64)
    shares = k_means.memberships(
        prototypes, tf.ones((1, 2), tf.bool), unlabelled, tf.ones((1, 3), tf.bool)
    ).numpy()[0]
    assert shares[0].max() < 1e-20
    assert shares[1, 0] > 0.98 and shares[2, 1] > 0.98


def test_the_mask_begins_near_the_mean_distance():
    k_means = MaskedSoftKMeans(dtype="float64")
    prototypes = tf.zeros((1, 1, 1), tf.float64)
    # Squared distances 0, 1 and 2: the second is the mean.
    unlabelled = tf.constant([[[0.0], [1.0], [2.0**0.5]]], tf.float64)
    shares = k_means.memberships(
        prototypes, tf.ones((1, 1), tf.bool), unlabelled, tf.ones((1, 3), tf.bool)
    ).numpy()[0, :, 0]
    np.testing.assert_allclose(shares, 1 / (1 + np.exp([-1.0, 0.0, 1.0])), atol=0.02)


def test_the_seed_decides_the_first_weights():
    one, same, other = (MaskedSoftKMeans(seed).get_weights() for seed in (3, 3, 4))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0][:, :2], one[2][:5])
