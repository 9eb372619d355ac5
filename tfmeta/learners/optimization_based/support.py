"""The support of one task, and what an inner step learns from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Support:
    """The support of one task.

    Attributes:
        examples: `(support, *example)`.
        labels: `(support, ways)`, one-hot or targets.
        mask: `(support,)` bool, False is padding, or `None`.
        present: `(ways,)` bool: ways with a real row, here or where the task goes on
            from; all, for regression.
    """

    examples: tf.Tensor
    labels: tf.Tensor
    mask: tf.Tensor | None
    present: tf.Tensor


# From a support and the number of an inner step to what the step learns from.
Choose: TypeAlias = Callable[[Support, int | tf.Tensor], Support]


def whole_support(support: Support, step: int | tf.Tensor) -> Support:
    """What an inner step learns from: all of the support."""
    return support
