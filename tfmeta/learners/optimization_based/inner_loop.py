"""The inner loop: from a start and a support loss to a task's own parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from tfmeta.learners.optimization_based.inner_rules.rule import InnerRule, Parameters

# From parameters and the state of a rule to those after a step.
Step: TypeAlias = Callable[[Parameters, Any], tuple[Parameters, Any]]

# Up to so many steps are written out in the graph, which is faster than a loop; more
# would take longer to be traced than they save.
_UNROLLED = 10


def run_inner_loop(
    support_loss: Callable[[Parameters, int | tf.Tensor], tf.Tensor],
    rule: InnerRule,
    parameters: Parameters,
    *,
    steps: int,
    first_order: bool = False,
    rematerialize: Callable[[Step], Step] | None = None,
    after_step: Callable[[Parameters, int], None] | None = None,
) -> tuple[Parameters, Any]:
    """Adapts parameters to a task by `steps` steps of an inner rule.

    Whatever tape watches from outside can differentiate the result by the start and
    by the weights of the rule: through the gradients too, which is what makes MAML's
    meta-gradient exact, unless `first_order` holds them constant.

    Args:
        support_loss: A scalar loss of parameters at a step. It must take all its
            inputs from the parameters and from tensors of the task.
        rule: The rule.
        parameters: Where to start.
        steps: Number of steps; beyond 10 without `after_step` they run in a
            `tf.while_loop`, where the loss is told the step as a tensor.
        first_order: Whether gradients are constants to the outer loop (Finn 2017,
            section 5.2).
        rematerialize: Makes of a step one that the outer gradient computes once more
            instead of keeping what it needs of it, see `rematerialized`. The loss must
            then have its parameters from nowhere else.
        after_step: Called with the parameters after each step and its number.

    Returns:
        Parameters after the last step, and the state of the rule.

    Example:

    ```python
    moved, _ = run_inner_loop(
        lambda p, step: tf.reduce_sum(p[0] ** 2),
        GradientDescent(0.1),
        [tf.constant([1.0])],
        steps=3,
    )
    moved[0]  # [0.512]
    ```
    """

    def take_step(
        step: int | tf.Tensor, parameters: Parameters, state: Any
    ) -> tuple[Parameters, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss = support_loss(parameters, step)
        gradients = tape.gradient(
            loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if first_order:
            gradients = [tf.stop_gradient(g) for g in gradients]
            loss = tf.stop_gradient(loss)
        return rule.update(parameters, gradients, state, step=step, loss=loss)

    def advance(
        step: int | tf.Tensor, parameters: Parameters, state: Any
    ) -> tuple[Parameters, Any]:
        own: Step = functools.partial(take_step, step)
        if rematerialize is not None:
            own = rematerialize(own)
        return own(parameters, state)

    state = rule.init(parameters)
    if steps <= _UNROLLED or after_step is not None:
        for step in range(steps):
            parameters, state = advance(step, parameters, state)
            if after_step is not None:
                after_step(parameters, step)
        return parameters, state

    def body(step: tf.Tensor, parameters: Parameters, state: Any) -> tuple:
        return (step + 1, *advance(step, parameters, state))

    _, parameters, state = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (tf.constant(0), parameters, state),
        maximum_iterations=steps,
    )
    return parameters, state
