"""Steps of the outer loop: within a trust region, or along the gradient."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfmeta.control.meta_objective import Experience, MetaObjective
from tfmeta.control.trust_region import (
    backtracking_line_search,
    conjugate_gradients,
    flatten,
    full_step,
    unflatten,
)
from tfmeta.finite import all_finite
from tfmeta.learners.inner_rules import Parameters


class TrustRegion(NamedTuple):
    """How far a step goes, and how it is found.

    Attributes:
        max_kl: Largest mean divergence, in nats.
        cg_iterations: Of conjugate gradients.
        cg_damping: What is added to the curvature.
        cg_share: What share of the tasks the curvature is of.
        backtracks: Steps that the line search tries.
        backtrack_ratio: What of a step the next one is.
    """

    max_kl: float
    cg_iterations: int
    cg_damping: float
    cg_share: float
    backtracks: int
    backtrack_ratio: float


class OuterStep(NamedTuple):
    """What a step of the outer loop found.

    Attributes:
        parameters: After it; of `first_derivative_step` the gradient.
        kl: Mean divergence of the adapted policies.
        improvement: Of the surrogate.
        sound: Scalar bool: whether the gradient was finite.
    """

    parameters: Parameters
    kl: tf.Tensor
    improvement: tf.Tensor
    sound: tf.Tensor


def first_derivative_step(
    objective: MetaObjective, start: Parameters, experience: Experience
) -> OuterStep:
    """The gradient of what is to grow, and nothing moved yet."""
    _, gradient = _gradient(objective, start, experience)
    zero = tf.zeros([], gradient[0].dtype)
    return OuterStep(gradient, zero, zero, all_finite(gradient))


def trust_region_step(
    objective: MetaObjective,
    start: Parameters,
    experience: Experience,
    region: TrustRegion,
) -> OuterStep:
    """A step of trust region policy optimization.

    Schulman, Levine, Moritz, Jordan and Abbeel (2015), *Trust Region Policy
    Optimization*: along the gradient as the curvature of the divergence bends it, as
    far as that allows, and shortened until the surrogate grows within it. Where no
    step does, it is none. The curvature may be one of some of the tasks, as appendix C
    there has it; what was found is held against all of them.

    Args:
        objective: What is to grow.
        start: In the order of the policy's shapes, without an axis of tasks.
        experience: What was drawn at the start.
        region: How far.
    """
    shapes = [tuple(part.shape) for part in start]
    before, gradient = _gradient(objective, start, experience)
    part = objective.part(experience, region.cg_share)
    product = objective.curvature(start, part, damping=region.cg_damping)
    direction = conjugate_gradients(
        product, flatten(gradient), iterations=region.cg_iterations
    )
    found = backtracking_line_search(
        lambda flat: objective.measured(unflatten(flat, shapes), experience),
        flatten(start),
        before,
        full_step(direction, product(direction), max_kl=region.max_kl),
        max_kl=region.max_kl,
        backtracks=region.backtracks,
        ratio=region.backtrack_ratio,
    )
    return OuterStep(
        unflatten(found.parameters, shapes),
        found.kl,
        found.improvement,
        all_finite(gradient),
    )


def _gradient(
    objective: MetaObjective, start: Parameters, experience: Experience
) -> tuple[tf.Tensor, Parameters]:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(start)
        surrogate = tf.reduce_mean(objective.surrogates(start, experience))
    gradient = tape.gradient(
        surrogate, start, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return surrogate, gradient
