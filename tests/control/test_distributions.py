"""Distributions against SciPy and sums over all actions, in float64."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.distributions import (
    Categorical,
    DiagonalGaussian,
    distribution_of_outputs,
)

RNG = np.random.default_rng(0)
LOGITS, OTHERS = RNG.normal(size=(2, 4, 3, 5))
MEANS, LOGS, THEIR_MEANS, THEIR_LOGS = RNG.normal(size=(4, 6, 2))
SEED = tf.constant([3, 4], tf.int32)


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(-1, keepdims=True)


def test_one_of_some_actions():
    p, q = softmax(LOGITS), softmax(OTHERS)
    here, there = Categorical(tf.constant(LOGITS)), Categorical(tf.constant(OTHERS))
    for action in range(5):
        found = here.log_prob(tf.fill([4, 3], action))
        np.testing.assert_allclose(found, np.log(p[..., action]), rtol=1e-12)
    np.testing.assert_allclose(
        here.entropy(), scipy.stats.entropy(p, axis=-1), rtol=1e-12
    )
    np.testing.assert_allclose(
        here.kl(there), scipy.stats.entropy(p, q, axis=-1), rtol=1e-10
    )
    assert here.kl(here).numpy().max() == 0


def test_real_numbers():
    here = DiagonalGaussian(tf.constant(MEANS), tf.constant(LOGS))
    there = DiagonalGaussian(tf.constant(THEIR_MEANS), tf.constant(THEIR_LOGS))
    for row in range(6):
        s, t = np.exp(LOGS[row]), np.exp(THEIR_LOGS[row])
        exact = scipy.stats.multivariate_normal(MEANS[row], np.diag(s**2))
        actions = tf.constant(THEIR_MEANS)
        np.testing.assert_allclose(
            here.log_prob(actions)[row], exact.logpdf(THEIR_MEANS[row]), rtol=1e-10
        )
        np.testing.assert_allclose(here.entropy()[row], exact.entropy(), rtol=1e-12)
        apart = THEIR_MEANS[row] - MEANS[row]
        wanted = 0.5 * (
            (s**2 / t**2).sum() + (apart**2 / t**2).sum() - 2 + 2 * np.log(t / s).sum()
        )
        np.testing.assert_allclose(here.kl(there)[row], wanted, rtol=1e-12)
    assert here.kl(here).numpy().max() == 0


def test_a_small_divergence_is_left_in_float32():
    here = DiagonalGaussian(tf.zeros([1]), tf.zeros([1]))
    there = DiagonalGaussian(tf.zeros([1]), tf.fill([1], 1e-5))
    # To second order the square of the difference.
    np.testing.assert_allclose(here.kl(there), 1e-10, rtol=1e-3)


@pytest.mark.parametrize("kind", ["discrete", "continuous"])
def test_fisher_is_the_second_derivative_of_the_divergence(kind):
    actions = ActionSpace(kind, 3)
    size = 3 if kind == "discrete" else 6
    outputs, tangent = RNG.normal(size=(2, 2, size))
    here = distribution_of_outputs(actions, tf.constant(outputs))

    def kl(shift):
        return here.kl(
            distribution_of_outputs(actions, tf.constant(outputs + shift))
        ).numpy()

    step = 1e-3
    for axis in range(size):
        unit = step * np.eye(size)[axis]
        # Of d kl / d outputs[axis], along the tangent.
        wanted = (
            kl(unit + step * tangent)
            - kl(unit - step * tangent)
            - kl(-unit + step * tangent)
            + kl(-unit - step * tangent)
        ) / (4 * step**2)
        parts = np.split(tangent, len(here.parts), axis=-1)
        found = np.concatenate(here.fisher_product(parts), axis=-1)[:, axis]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_what_is_drawn_has_the_probabilities():
    logits = tf.constant(LOGITS[0, 0])
    drawn = Categorical(tf.broadcast_to(logits, [20_000, 5])).sample(SEED)
    assert drawn.dtype == tf.int32
    counts = np.bincount(drawn, minlength=5)
    wanted = 20_000 * softmax(LOGITS[0, 0])
    assert scipy.stats.chisquare(counts, wanted).pvalue > 1e-3

    means = tf.broadcast_to(tf.constant(MEANS[0]), [20_000, 2])
    logs = tf.broadcast_to(tf.constant(LOGS[0]), [20_000, 2])
    here = DiagonalGaussian(means, logs)
    drawn = here.sample(SEED).numpy()
    for axis in range(2):
        exact = scipy.stats.norm(MEANS[0, axis], np.exp(LOGS[0, axis])).cdf
        assert scipy.stats.kstest(drawn[:, axis], exact).pvalue > 1e-3
    np.testing.assert_array_equal(drawn, here.sample(SEED))
