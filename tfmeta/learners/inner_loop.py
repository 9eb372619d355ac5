"""The inner loop: from a start and its gradients to a task's own parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from tfmeta.learners.inner_rules.rule import (
    InnerRule,
    Parameters,
    apply_updates,
    find_updates,
)

# From parameters at a step to the gradients of a loss, and what else is known there
# that a rule may ask for, by name.
Gradients: TypeAlias = Callable[
    [Parameters, int | tf.Tensor], tuple[Parameters, dict[str, tf.Tensor]]
]
# From parameters and the state of a rule to those after a step.
Step: TypeAlias = Callable[[Parameters, Any], tuple[Parameters, Any]]

# Up to so many steps are written out in the graph, which is faster than a loop; more
# would take longer to be traced than they save.
_UNROLLED = 10


def gradients_of(
    support_loss: Callable[[Parameters, int | tf.Tensor], tf.Tensor],
    *,
    first_order: bool = False,
) -> Gradients:
    """The gradients of a loss, and the loss itself for rules that ask for it.

    Args:
        support_loss: A scalar loss of parameters at a step. It must take all its
            inputs from the parameters and from tensors of the task.
        first_order: Whether gradients are constants to the outer loop (Finn 2017,
            section 5.2).
    """

    def found(
        parameters: Parameters, step: int | tf.Tensor
    ) -> tuple[Parameters, dict[str, tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss = support_loss(parameters, step)
        gradients = tape.gradient(
            loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if first_order:
            gradients = [tf.stop_gradient(g) for g in gradients]
            loss = tf.stop_gradient(loss)
        return gradients, {"loss": loss}

    return found


def run_inner_loop(
    gradients: Gradients,
    rule: InnerRule,
    parameters: Parameters,
    *,
    steps: int,
    rematerialize: Callable[[Step], Step] | None = None,
    after_step: Callable[[Parameters, int], None] | None = None,
) -> tuple[Parameters, Any]:
    """Adapts parameters to a task by `steps` steps of an inner rule.

    Whatever tape watches from outside can differentiate the result by the start and
    by the weights of the rule: through the gradients too, which is what makes MAML's
    meta-gradient exact, unless they are constants.

    Args:
        gradients: What the rule follows, see `gradients_of`.
        rule: The rule.
        parameters: Where to start.
        steps: Number of steps; beyond 10 without `after_step` they run in a
            `tf.while_loop`, where the step is told as a tensor.
        rematerialize: Makes of a step one that the outer gradient computes once more
            instead of keeping what it needs of it, see `rematerialized`. The loss must
            then have its parameters from nowhere else.
        after_step: Called with the parameters after each step and its number.

    Returns:
        Parameters after the last step, and the state of the rule.

    Example:

    ```python
    moved, _ = run_inner_loop(
        gradients_of(lambda p, step: tf.reduce_sum(p[0] ** 2)),
        Scale(-0.1),
        [tf.constant([1.0])],
        steps=3,
    )
    moved[0]  # [0.512]
    ```
    """

    def take_step(
        step: int | tf.Tensor, parameters: Parameters, state: Any
    ) -> tuple[Parameters, Any]:
        found, known = gradients(parameters, step)
        updates, state = find_updates(
            rule, found, state, parameters, step=step, **known
        )
        return apply_updates(parameters, updates), state

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
        # No tensor, or XLA could not differentiate the loop.
        maximum_iterations=steps,
    )
    return parameters, state
