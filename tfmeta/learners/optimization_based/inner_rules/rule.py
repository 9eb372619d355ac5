"""The contract of an inner rule."""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf

Parameters = list[tf.Tensor]


class InnerRule(Protocol):
    """How one task's parameters follow the gradients of its support loss.

    Two pure functions of tensors. A learned rule is an ordinary one whose weights
    are Keras variables, which the outer loop trains as it trains the encoder's; the
    inner loop does not know the difference.
    """

    def init(self, parameters: Parameters) -> Any:
        """The state before the first step: any nest of tensors, `()` for none.

        Args:
            parameters: Where the task starts from.
        """

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        state: Any,
        *,
        step: int | tf.Tensor,
        loss: tf.Tensor,
    ) -> tuple[Parameters, Any]:
        """One step.

        Args:
            parameters: Before the step.
            gradients: Of the support loss, of the same shapes.
            state: What `init` or the step before returned.
            step: Number of the step, from 0.
            loss: The support loss, a scalar.

        Returns:
            Parameters after the step, and the state, in the same structure.
        """
