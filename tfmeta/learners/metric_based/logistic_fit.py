"""Regularised multinomial logistic regression, fitted to the minimum in the graph."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfmeta.learners.inner_rules import Parameters
from tfmeta.learners.metric_based.head_fitting import (
    RealSupport,
    WeightSpace,
    fit_weights,
    primal_space,
)
from tfmeta.pairs_at_once import are_pairs_at_once

# How short the gradient is where Newton's method ends, by the weights that it is to be
# balanced by, and by what it was at first. The steps before are solved as far as they
# are worth it: by a tenth, and by more near the minimum.
_TOLERANCE = 1e-9
_FIRST_TOLERANCE = 0.1
# By how much the residual has shrunk where a gradient through the minimum ends.
_GRADIENT_TOLERANCE = 1e-12
# What rounding leaves of a gradient, by the sum of the lengths of its terms.
_ROUNDING = 1e-14
# The same, of an objective by its size.
_ROUNDING_OF_SUM = 1e-12
# Both where float64 becomes float32, in a file for a phone.
_ROUNDING_AT_ONCE = (1e-7, 1e-6)
_MOST_STEPS = 100
_MOST_PRODUCTS = 500
_MOST_HALVINGS = 30


class Point(NamedTuple):
    """Parameters, or a direction among them, in a `WeightSpace`.

    Attributes:
        weights: In the space, with a leading task axis.
        products: Of the weights with the support, `(tasks, support, ways)`.
        bias: `(tasks, 1, ways)`.
    """

    weights: tf.Tensor
    products: tf.Tensor
    bias: tf.Tensor

    @property
    def logits(self) -> tf.Tensor:
        """`(tasks, support, ways)`."""
        return self.products + self.bias

    def plus(self, scale: tf.Tensor, other: Point) -> Point:
        """This and `scale` `(tasks, 1, 1)` times another."""
        pairs = zip(self, other, strict=True)
        return Point(*(mine + scale * theirs for mine, theirs in pairs))


class LogisticProblem(NamedTuple):
    """What is minimised for every task: half the squared weights and the losses.

        ½ ‖W‖² + Σ_i c_i CE(W x_i + b, y_i)

    Attributes:
        space: How weights are written.
        support: In float64; its labels are one-hot times the weight of a row.
        strength: `(tasks, 1, 1)`, what losses are multiplied by.
    """

    space: WeightSpace
    support: RealSupport
    strength: tf.Tensor

    def point(self, weights: tf.Tensor, bias: tf.Tensor) -> Point:
        """A point of these weights."""
        return Point(weights, self.space.products(weights), bias)

    def square(self, point: Point) -> tf.Tensor:
        """Squared length of weights and bias, `(tasks, 1, 1)`."""
        return self._square_of_weights(point) + _sum(tf.square(point.bias), axis=2)

    def _square_of_weights(self, point: Point) -> tf.Tensor:
        return _sum(self.space.squares(point.weights, point.products), axis=2)

    def _terms(self) -> tf.Tensor:
        """Sum of the lengths of the gradient's terms, `(tasks, 1, 1)`."""
        rows = tf.sqrt(_sum(tf.square(self.support.embeddings), axis=2) + 1.0)
        weights = _sum(self.support.labels, axis=2)
        return self.strength * _sum(weights * rows, axis=1)

    def objective(self, point: Point) -> tf.Tensor:
        """Its value, `(tasks, 1, 1)`."""
        logits = self.support.of_present(point.logits)
        weight = _sum(self.support.labels, axis=2)
        losses = weight * tf.reduce_logsumexp(logits, axis=2, keepdims=True)
        losses -= _sum(self.support.labels * point.logits, axis=2)
        squares = self._square_of_weights(point)
        return self.strength * _sum(losses, axis=1) + 0.5 * squares

    def gradient(self, point: Point) -> tuple[tf.Tensor, tf.Tensor]:
        """By weights and by bias; without products, which not all need."""
        residuals = self.strength * self.support.residuals(point.logits)
        return self.space.combine(residuals) + point.weights, _sum(residuals, axis=1)

    def solve(
        self, probabilities: tf.Tensor, right: Point, tolerance: tf.Tensor
    ) -> Point:
        """The direction whose product with the Hessian is `right`.

        By conjugate gradients, which never write the Hessian down, each task until
        its residual is short enough.

        Args:
            probabilities: Where the Hessian is, `(tasks, support, ways)`.
            right: With no part that the Hessian does not reach.
            tolerance: `(tasks, 1, 1)`, how short the residual is to be, by the length
                of `right`.
        """
        row_weights = self.strength * _sum(self.support.labels, axis=2)
        first = self.square(right)
        least = tf.square(tolerance) * first
        nothing = Point(*(tf.zeros_like(part) for part in right))

        def go_on(step: tf.Tensor, square: tf.Tensor, *_: Point) -> tf.Tensor:
            return tf.reduce_any(square > least)

        def iterate(
            step: tf.Tensor, square: tf.Tensor, found: Point, left: Point, along: Point
        ) -> tuple:
            # The change of the probabilities' part in the gradient, along the logits.
            change = probabilities * along.logits
            change = row_weights * (change - probabilities * _sum(change, axis=2))
            bent = _sum(self.space.squares(along.weights, along.products), axis=2)
            bent += _sum(_sum(change * along.logits, axis=2), axis=1)
            # Rounding may leave a part of `right` where there is no curvature.
            active = (square > least) & (bent > 0)
            length = tf.where(active, square / bent, 0.0)
            weights = left.weights - length * (
                self.space.combine(change) + along.weights
            )
            next_left = self.point(weights, left.bias - length * _sum(change, axis=1))
            next_square = tf.where(active, self.square(next_left), 0.0)
            kept = tf.where(active, next_square / square, 0.0)
            return (
                step + 1,
                next_square,
                found.plus(length, along),
                next_left,
                next_left.plus(kept, along),
            )

        start = (tf.constant(0), first, nothing, right, right)
        return tf.while_loop(go_on, iterate, start, maximum_iterations=_MOST_PRODUCTS)[
            2
        ]

    def minimum(self, start: Point) -> Point:
        """The parameters at the minimum, by Newton's method from `start`."""

        def slope(point: Point) -> Point:
            return self.point(*self.gradient(point))

        first = self.square(slope(start))
        rounding = tf.square(_rounding()[0] * self._terms())

        def is_active(point: Point, gradient: Point) -> tf.Tensor:
            # Where losses weigh much, the gradient is small long before the minimum.
            scale = tf.minimum(first, self._square_of_weights(point))
            return self.square(gradient) > tf.maximum(_TOLERANCE**2 * scale, rounding)

        def go_on(step: tf.Tensor, point: Point, gradient: Point) -> tf.Tensor:
            return tf.reduce_any(is_active(point, gradient))

        def iterate(step: tf.Tensor, point: Point, gradient: Point) -> tuple:
            square = self.square(gradient)
            active = is_active(point, gradient)
            # As the root of what is left: steps then gain digits ever faster.
            left = tf.where(active, square / first, 1.0)
            tolerance = tf.minimum(left**0.25, _FIRST_TOLERANCE)
            probabilities = tf.nn.softmax(self.support.of_present(point.logits))
            downhill = Point(*(tf.where(active, -part, 0.0) for part in gradient))
            direction = self.solve(probabilities, downhill, tolerance)
            point = point.plus(self._length(point, direction), direction)
            return step + 1, point, slope(point)

        return tf.while_loop(
            go_on,
            iterate,
            (tf.constant(0), start, slope(start)),
            maximum_iterations=_MOST_STEPS,
        )[1]

    def _length(self, point: Point, direction: Point) -> tf.Tensor:
        """How far to go in each task: 1, or half as often as it takes to go down."""
        before = self.objective(point)
        # Near the minimum rounding alone goes up.
        allowed = before + _rounding()[1] * tf.abs(before)

        def goes_up(length: tf.Tensor) -> tf.Tensor:
            return self.objective(point.plus(length, direction)) > allowed

        return tf.while_loop(
            lambda length: tf.reduce_any(goes_up(length)),
            lambda length: (tf.where(goes_up(length), 0.5 * length, length),),
            (tf.ones_like(before),),
            maximum_iterations=_MOST_HALVINGS,
        )[0]


def fit_logistic(support: RealSupport, strength: tf.Tensor) -> Parameters:
    """Weights and bias of each task at the minimum of its `LogisticProblem`.

    The gradient by the embeddings is that of the minimum itself, by the implicit
    function theorem: with `F` the gradient by the parameters, `dθ = -H⁻¹ dF`. It
    takes one more solution of the same equations, and keeps no steps.

    Args:
        support: The support set of each task, float64.
        strength: `(tasks, 1, 1)`, what losses are multiplied by.

    Returns:
        Weights `(tasks, features, ways)` and bias `(tasks, 1, ways)`, which sums to 0
        over the ways that are present.
    """
    fixed = support._replace(embeddings=tf.stop_gradient(support.embeddings))

    def fit(space: WeightSpace) -> Parameters:
        problem = LogisticProblem(space, fixed, strength)
        zeros = tf.zeros_like(fixed.labels)
        weights = space.combine(zeros)
        found = problem.minimum(Point(weights, zeros, _sum(zeros, axis=1)))
        return [found.weights, found.bias]

    primal = primal_space(fixed.embeddings)
    if fixed.embeddings.shape[1] is None:
        # Products of all rows with each other may not fit into memory where a served
        # model is sent thousands; weights always do.
        found = fit(primal)
    else:
        found = fit_weights(fixed.embeddings, fit)
    weights, bias = (tf.stop_gradient(parameter) for parameter in found)
    there = LogisticProblem(primal, fixed, strength)
    moving = LogisticProblem(primal_space(support.embeddings), support, strength)
    point = there.point(weights, bias)
    probabilities = tf.nn.softmax(fixed.of_present(point.logits))

    @tf.custom_gradient
    def implicit(by_weights: tf.Tensor, by_bias: tf.Tensor) -> tuple:
        def grad(*upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            of_weights, of_bias = upstream
            # A constant in all biases changes nothing, and has no curvature.
            present = tf.cast(fixed.present, of_bias.dtype)[:, None, :]
            ways = tf.maximum(_sum(present, axis=2), 1.0)
            of_bias = present * (of_bias - _sum(present * of_bias, axis=2) / ways)
            right = there.point(of_weights, of_bias)
            tolerance = _GRADIENT_TOLERANCE * tf.ones_like(strength)
            found = there.solve(probabilities, right, tolerance)
            return -found.weights, -found.bias

        return (tf.zeros_like(by_weights), tf.zeros_like(by_bias)), grad

    no_weights, no_bias = implicit(*moving.gradient(moving.point(weights, bias)))
    return [weights + no_weights, bias + no_bias]


def _rounding() -> tuple[float, float]:
    if are_pairs_at_once():
        return _ROUNDING_AT_ONCE
    return _ROUNDING, _ROUNDING_OF_SUM


def _sum(values: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.reduce_sum(values, axis=axis, keepdims=True)
