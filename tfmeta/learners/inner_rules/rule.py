"""The contract of an inner rule, and how its updates are found and applied."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import tensorflow as tf

Parameters = list[tf.Tensor]


class Replaced(NamedTuple):
    """An update in the place of a sum: what the parameter becomes.

    For rules that forget, such as the LSTM, whose cell state the parameters are: what
    is added, `value - parameter`, rounds, and its sum with the parameter again.

    Attributes:
        value: Of the parameter's shape.
    """

    value: tf.Tensor


# One for each parameter: what is added to it, or `Replaced`.
Updates: TypeAlias = Sequence[tf.Tensor | Replaced]


class InnerRule(Protocol):
    """How one task's parameters follow the gradients of its support loss.

    Two pure functions of tensors, as optax has them: `init(parameters) -> state` and
    `update(gradients, state, parameters) -> (updates, state)`. What `apply_updates`
    adds is the whole step, its sign included: `Scale(-0.1)` descends. What one rule
    returns may be the gradients of the next, see `chain`.

    A learned rule is an ordinary one whose weights are Keras variables, which the
    outer loop trains as it trains the encoder's; it is a `keras.layers.Layer` then.
    The inner loop does not know the difference.
    """

    def init(self, parameters: Parameters) -> Any:
        """The state before the first step: any nest of tensors, `()` for none.

        Args:
            parameters: Where the task starts from.
        """

    @property
    def update(self) -> Callable[..., tuple[Updates, Any]]:
        """One step, `update(gradients, state, parameters) -> (updates, state)`.

        Its arguments, and what may be asked for by further ones, which are given by
        name to a rule that has them:

        - `gradients`: of the support loss, of the parameters' shapes.
        - `state`: what `init` or the step before returned.
        - `parameters`: before the step.
        - `step`: number of the step, from 0; an int, or a tensor in a loop.
        - `loss`: the support loss, a scalar, where it is known.

        It returns an update for each parameter, and the state in the same structure.
        """


def find_updates(
    rule: InnerRule,
    gradients: Updates,
    state: Any,
    parameters: Parameters,
    **known: Any,
) -> tuple[Updates, Any]:
    """The updates of a step, by a rule that is told what it asks for.

    Args:
        rule: The rule.
        gradients: As `InnerRule.update` has them.
        state: Likewise.
        parameters: Likewise.
        **known: What else is known of the step: `step`, `loss`.
    """
    asked = inspect.signature(rule.update).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in asked.values()):
        known = {name: value for name, value in known.items() if name in asked}
    return rule.update(gradients, state, parameters, **known)


def apply_updates(parameters: Parameters, updates: Updates) -> Parameters:
    """Parameters after a step.

    Args:
        parameters: Before it.
        updates: What a rule found.

    Example:

    ```python
    rule = Scale(-0.1)
    updates, state = rule.update(gradients, rule.init(parameters), parameters)
    parameters = apply_updates(parameters, updates)
    ```
    """
    return [
        update.value if isinstance(update, Replaced) else parameter + update
        for parameter, update in zip(parameters, updates, strict=True)
    ]
