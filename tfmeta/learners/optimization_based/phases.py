"""Stretches of training that find the outer gradient in different ways."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of the outer loop.

    Attributes:
        start: The first step of the outer loop that belongs to it.
        first_order: Whether gradients of the inner loop are constants.
        multi_step: Whether the query loss after every inner step counts.
    """

    start: int
    first_order: bool
    multi_step: bool = False
