"""Steps that change a policy no more than so far, on flat vectors in the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

# From a vector to its product with a symmetric matrix.
Product = Callable[[tf.Tensor], tf.Tensor]
# From parameters to what is to grow, and the divergence from where one is.
Measured = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Searched(NamedTuple):
    """What a line search found.

    Attributes:
        parameters: After the step; those before where it was refused.
        improvement: Of what is to grow, 0 where it was refused.
        kl: Divergence, likewise.
        accepted: Scalar bool.
    """

    parameters: tf.Tensor
    improvement: tf.Tensor
    kl: tf.Tensor
    accepted: tf.Tensor


def flatten(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All numbers in one vector."""
    return tf.concat([tf.reshape(part, [-1]) for part in tensors], axis=0)


def unflatten(vector: tf.Tensor, shapes: Sequence[tuple[int, ...]]) -> list[tf.Tensor]:
    """Tensors of these shapes of one vector, `flatten` the other way round."""
    parts = tf.split(vector, [math.prod(shape) for shape in shapes])
    return [tf.reshape(p, shape) for p, shape in zip(parts, shapes, strict=True)]


def conjugate_gradients(
    product: Product,
    right: tf.Tensor,
    *,
    iterations: int = 10,
    tolerance: float = 1e-10,
) -> tf.Tensor:
    """Solves `A x = b` for a symmetric, positive definite `A` that is not written down.

    Hestenes and Stiefel (1952), *Methods of Conjugate Gradients for Solving Linear
    Systems*, from 0 on.

    Args:
        product: Of `A` and a vector.
        right: `b`.
        iterations: At most.
        tolerance: Squared length of what is left, below which it ends.

    Returns:
        `x`; NaN or infinite numbers in it are those of `A` and `b`.
    """

    def unfinished(
        x: tf.Tensor, left: tf.Tensor, way: tf.Tensor, square: tf.Tensor
    ) -> tf.Tensor:
        # Not `square > tolerance`, so that NaN is no end but goes through.
        return ~(square <= tolerance)

    def advance(
        x: tf.Tensor, left: tf.Tensor, way: tf.Tensor, square: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        across = product(way)
        length = square / tf.tensordot(way, across, 1)
        x += length * way
        left -= length * across
        after = tf.tensordot(left, left, 1)
        return x, left, left + (after / square) * way, after

    start = (tf.zeros_like(right), right, right, tf.tensordot(right, right, 1))
    found: tf.Tensor = tf.while_loop(
        unfinished, advance, start, maximum_iterations=iterations
    )[0]
    return found


def full_step(direction: tf.Tensor, across: tf.Tensor, *, max_kl: float) -> tf.Tensor:
    """The longest step along a direction within a divergence, by its second order.

    Schulman, Levine, Moritz, Jordan and Abbeel (2015), *Trust Region Policy
    Optimization*, appendix C: `sqrt(2 max_kl / x'Ax) x`.

    Args:
        direction: `x`.
        across: `A x`.
        max_kl: The divergence, in nats.

    Returns:
        The step; NaN where the curvature along it is not above 0.
    """
    curvature = tf.tensordot(direction, across, 1)
    return tf.sqrt(2.0 * max_kl / curvature) * direction


def backtracking_line_search(
    measured: Measured,
    parameters: tf.Tensor,
    before: tf.Tensor,
    step: tf.Tensor,
    *,
    max_kl: float,
    backtracks: int = 15,
    ratio: float = 0.8,
) -> Searched:
    """Shortens a step until it gains something within the divergence.

    Args:
        measured: Of parameters what is to grow, and the divergence.
        parameters: Where one is.
        before: What is to grow there.
        step: The longest step.
        max_kl: Largest divergence, in nats.
        backtracks: Steps that are tried.
        ratio: What of a step the next one is.

    Returns:
        What was found; where nothing was, or where numbers are not finite, the
        parameters as they are.
    """
    none = Searched(
        parameters, tf.zeros_like(before), tf.zeros_like(before), tf.constant(False)
    )

    def attempt(number: tf.Tensor, found: Searched) -> tuple[tf.Tensor, Searched]:
        length = tf.pow(tf.constant(ratio, step.dtype), tf.cast(number, step.dtype))
        there = parameters + length * step
        after, kl = measured(there)
        # Comparisons with NaN are False.
        good = (after - before > 0) & (kl <= max_kl) & _all_finite(there, kl, after)
        return number + 1, Searched(
            tf.where(good, there, parameters),
            tf.where(good, after - before, tf.zeros_like(before)),
            tf.where(good, kl, tf.zeros_like(before)),
            good,
        )

    _, found = tf.while_loop(
        lambda number, found: ~found.accepted,
        attempt,
        (tf.constant(0), none),
        maximum_iterations=backtracks,
    )
    return found


def _all_finite(*values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in values])
