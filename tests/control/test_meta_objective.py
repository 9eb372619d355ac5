"""Derivatives of the outer objective against central differences, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.adaptation import Judgement, log_probabilities
from tfmeta.control.meta_objective import Experience, MetaObjective
from tfmeta.control.policies import Policy
from tfmeta.control.trajectories import Trajectories
from tfmeta.control.trust_region import flatten, unflatten
from tfmeta.learners.inner_rules import Scale

RNG = np.random.default_rng(0)
TASKS, TRAJECTORIES, STEPS, SIZE = 3, 2, 4, 2
LENGTHS = np.array([[4, 2], [3, 4], [1, 4]])
SPACES = {
    "discrete": ActionSpace("discrete", 3),
    "continuous": ActionSpace("continuous", 2, low=-0.5, high=0.5),
}


def made(space, updates, **options):
    """An objective, a start and trajectories that have nothing to do with it."""
    policy = Policy(SIZE, SPACES[space], (4,), activation="tanh")
    judgement = Judgement(gamma=0.9, gae_lambda=0.8, baseline="linear")
    objective = MetaObjective(policy, Scale(-0.1), judgement, **options)
    start = [
        tf.constant(0.5 * RNG.normal(size=shape)) for shape in policy.shapes.values()
    ]
    drawn = [judgement(trajectories(policy)) for _ in range(updates + 1)]
    *weights, last = objective.adapted(start, drawn[:-1], TASKS)
    own = []
    for each, parts in zip(drawn, [*weights, last], strict=True):
        logs = log_probabilities(policy, parts, each.trajectories)
        drawn_by = each.trajectories._replace(log_probabilities=logs)
        own.append(each._replace(trajectories=drawn_by))
    *before, after = own
    parts = policy.distribution(
        policy.as_dict(last), after.trajectories.observations
    ).parts
    return objective, start, Experience(before, after, objective.credit(after), parts)


def trajectories(policy):
    mask = np.arange(STEPS) < LENGTHS[..., None]
    shape = (TASKS, TRAJECTORIES, STEPS)
    if policy.actions.kind == "discrete":
        actions = RNG.integers(0, 3, shape).astype("int32")
    else:
        actions = 0.4 * RNG.normal(size=(*shape, 2))
    return Trajectories(
        tf.constant(RNG.normal(size=(*shape, SIZE))),
        tf.constant(actions),
        tf.constant(np.where(mask, RNG.normal(size=shape), 0)),
        tf.constant(mask),
        tf.zeros(shape, tf.float64),
        tf.constant(RNG.random((TASKS, TRAJECTORIES)) < 0.5),
        tf.constant(RNG.normal(size=(TASKS, TRAJECTORIES, SIZE))),
    )


def differences(function, start, step=1e-5):
    """Of a traced function of a flat vector, `(numbers, *value)`."""
    flat = flatten(start).numpy()
    rows = []
    for place in range(len(flat)):
        unit = step * np.eye(len(flat))[place]
        ends = function(tf.constant(flat + unit)), function(tf.constant(flat - unit))
        rows.append((ends[0].numpy() - ends[1].numpy()) / (2 * step))
    return np.stack(rows)


@pytest.mark.parametrize(
    "space, updates, correction", [("continuous", 1, False), ("discrete", 2, True)]
)
def test_the_gradient_goes_through_the_updates(space, updates, correction):
    objective, start, experience = made(space, updates, sampling_correction=correction)
    shapes = [tuple(part.shape) for part in start]

    @tf.function(autograph=False)
    def value(flat):
        found = objective.surrogates(unflatten(flat, shapes), experience)
        return tf.reduce_mean(found)

    @tf.function(autograph=False)
    def gradient(flat):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            found = value(flat)
        return tape.gradient(found, flat)

    # Away from where they were drawn, too: ratios are then not 1.
    for shift in (0.0, 0.1):
        there = [part + shift for part in start]
        np.testing.assert_allclose(
            gradient(flatten(there)), differences(value, there), rtol=1e-6, atol=1e-8
        )


@pytest.mark.parametrize("space, updates", [("discrete", 1), ("continuous", 2)])
def test_curvature_is_the_second_derivative_of_the_divergence(space, updates):
    objective, start, experience = made(space, updates)
    shapes = [tuple(part.shape) for part in start]

    @tf.function(autograph=False)
    def slope(flat):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            parts = objective.parts(unflatten(flat, shapes), experience)
            apart = objective.divergence(parts, experience)
        return tape.gradient(apart, flat)

    hessian = differences(slope, start)
    vectors = RNG.normal(size=(2, len(hessian)))

    @tf.function(autograph=False)
    def products(rows):
        product = objective.curvature(start, experience, damping=0.25)
        # As conjugate gradients ask for it, from inside a loop.
        return tf.map_fn(product, rows)

    wanted = vectors @ hessian + 0.25 * vectors
    np.testing.assert_allclose(
        products(tf.constant(vectors)), wanted, rtol=1e-5, atol=1e-7
    )
    _, apart = objective.measured(start, experience)
    np.testing.assert_allclose(apart, 0.0, atol=1e-15)


def test_what_stands_behind_the_end_has_no_part():
    objective, start, experience = made("discrete", 1, sampling_correction=True)
    wanted = objective.surrogates(start, experience)

    def spoiled(judged):
        mask = judged.trajectories.mask
        drawn = judged.trajectories._replace(
            observations=tf.where(
                mask[..., None], judged.trajectories.observations, 7.0
            ),
            actions=tf.where(mask, judged.trajectories.actions, 2),
        )
        return objective.judgement(drawn)

    odd = experience._replace(
        before=[spoiled(judged) for judged in experience.before],
        after=spoiled(experience.after),
    )
    np.testing.assert_allclose(objective.surrogates(start, odd), wanted, rtol=1e-10)
