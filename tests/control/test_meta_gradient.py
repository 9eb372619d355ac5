"""The meta-gradient, against expectations that are enumerated exactly, in float64.

Everything here is compared with NumPy that shares no line with the learner.
"""

import itertools

import exact_bandit as exact
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.adaptation import Judged
from tfmeta.control.trajectories import Trajectories

SUCCESSES = np.array([0.8, 0.3])


def expected_gradient(made, weights, updates, steps):
    """The expectation of the estimator over all that may happen."""
    chains = list(itertools.product(exact.outcomes(steps), repeat=updates + 1))
    likely = []
    for chain in chains:
        current, total = weights, 1.0
        for outcome in chain:
            total *= exact.probability(current, outcome, SUCCESSES)
            current = exact.update_by_hand(current, outcome)
        likely.append(total)
    np.testing.assert_allclose(sum(likely), 1.0)
    start = [tf.constant(part) for part in weights]
    experience = exact.experience_of(made, weights, chains)
    with tf.GradientTape() as tape:
        tape.watch(start)
        found = made.surrogates(start, experience)
        # Credit of the whole return: the other tasks here are no draws.
        total = tf.reduce_sum(found * likely)
    return [steps * part for part in tape.gradient(total, start)]


@pytest.mark.parametrize("updates, steps", [(0, 2), (1, 2), (2, 1)])
def test_with_the_correction_the_estimator_is_unbiased(updates, steps):
    policy, weights = exact.linear_policy()
    made = exact.objective(policy, sampling_correction=True)
    wanted = exact.central_differences(
        lambda w: exact.expected_return(w, SUCCESSES, steps, updates=updates), weights
    )
    found = expected_gradient(made, weights, updates, steps)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("updates, steps", [(1, 2), (2, 1)])
def test_without_it_what_was_drawn_counts_as_fixed(updates, steps):
    policy, weights = exact.linear_policy()
    made = exact.objective(policy)
    fixed = exact.central_differences(
        lambda w: exact.expected_return(
            w, SUCCESSES, steps, updates=updates, drawn_by=weights
        ),
        weights,
    )
    found = expected_gradient(made, weights, updates, steps)
    for ours, theirs in zip(found, fixed, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    # And that is another direction, not rounding.
    whole = exact.central_differences(
        lambda w: exact.expected_return(w, SUCCESSES, steps, updates=updates), weights
    )
    assert max(np.abs(a - b).max() for a, b in zip(found, whole, strict=True)) > 1e-2


def test_first_order_leaves_out_the_derivative_of_the_update():
    policy, weights = exact.linear_policy()
    made = exact.objective(policy, first_order=True)
    wanted = [np.zeros_like(part) for part in weights]
    for outcome in exact.outcomes(2):
        own = exact.central_differences(
            lambda w: exact.expected_return(w, SUCCESSES, 2, updates=0),
            exact.update_by_hand(weights, outcome),
        )
        likely = exact.probability(weights, outcome, SUCCESSES)
        wanted = [a + likely * b for a, b in zip(wanted, own, strict=True)]
    found = expected_gradient(made, weights, 1, 2)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def test_the_mean_of_the_other_tasks_is_no_bias():
    # Two bandits of one pull each: all that may happen in both together.
    policy, weights = exact.linear_policy()
    made = exact.objective(policy, sampling_correction=True)
    bandits = [np.array([0.8, 0.3]), np.array([0.1, 0.6])]
    wanted = exact.central_differences(
        lambda w: np.mean([exact.expected_return(w, b, 1) for b in bandits]), weights
    )
    chains, likely = [], []
    for both in itertools.product(exact.outcomes(1), repeat=4):
        pair = [both[:2], both[2:]]
        total = 1.0
        for chain, successes in zip(pair, bandits, strict=True):
            total *= exact.probability(weights, chain[0], successes)
            moved = exact.update_by_hand(weights, chain[0])
            total *= exact.probability(moved, chain[1], successes)
        chains += pair
        likely.append(total)
    np.testing.assert_allclose(sum(likely), 1.0)
    # All pairs at once, each with the credit that it has by itself.
    experience = exact.experience_of(made, weights, chains)
    scale = tf.ones([2], tf.float64)
    credits = []
    for first in range(0, len(chains), 2):
        pair = [part[first : first + 2] for part in experience.after.trajectories]
        after = Judged(Trajectories(*pair), tf.zeros([]), scale)
        credits.append(made.credit(after))
    experience = experience._replace(credit=tf.concat(credits, axis=0))
    start = [tf.constant(part) for part in weights]
    with tf.GradientTape() as tape:
        tape.watch(start)
        found = made.surrogates(start, experience)
        total = tf.reduce_sum(found * np.repeat(likely, 2)) / 2
    for ours, theirs in zip(tape.gradient(total, start), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
