"""Stretches of training that find the outer gradient in different ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of the outer loop.

    Attributes:
        start: The first step of the outer loop that belongs to it.
        first_order: Whether gradients of the inner loop are constants.
        loss_weights: Weights `(inner_steps,)` of the query losses after every inner
            step, as they are in a step of the outer loop; `None` where the last loss
            alone counts.
    """

    start: int
    first_order: bool
    loss_weights: Callable[[], tf.Tensor] | None = None
