"""Rules one after the other."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.learners.inner_rules.rule import (
    InnerRule,
    Parameters,
    Replaced,
    Updates,
    find_updates,
)


class Chain(keras.layers.Layer):
    """The rule that `chain` makes; a layer, so that weights of its rules are its own.

    Args:
        rules: In the order in which they are followed.
    """

    def __init__(self, rules: tuple[InnerRule, ...]) -> None:
        super().__init__(name="chain")
        self.rules = list(rules)
        self.built = True

    def init(self, parameters: Parameters) -> tuple:
        """The states of the rules."""
        return tuple(rule.init(parameters) for rule in self.rules)

    def update(
        self, gradients: Updates, state: tuple, parameters: Parameters, **known: Any
    ) -> tuple[Updates, tuple]:
        """One step; see `InnerRule.update`."""
        after = []
        for rule, own in zip(self.rules, state, strict=True):
            if any(isinstance(gradient, Replaced) for gradient in gradients):
                raise ValueError(
                    "`rules` must end with one that says what parameters become, such "
                    "as `LSTMRule`, which is no gradient. Received: one that is "
                    f"followed by {type(rule).__name__}"
                )
            gradients, own = find_updates(rule, gradients, own, parameters, **known)
            after.append(own)
        return gradients, tuple(after)


def chain(*rules: InnerRule) -> Chain:
    """Follows one rule after the other, each on what the one before it found.

    All see the parameters as they are before the step. As optax' function of that
    name.

    Args:
        *rules: The rules; what they learn is learned.

    Returns:
        A rule, with the rules' states in a tuple.

    Raises:
        ValueError: In a step, when a rule whose updates are `Replaced` is not the last.

    Example:

    ```python
    rule = chain(ClipByNorm(10.0), Scale(-0.1))
    ```
    """
    return Chain(rules)
