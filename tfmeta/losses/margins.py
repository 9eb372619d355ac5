"""The margin that losses of distances have."""

from __future__ import annotations

import math


def check_margin(margin: float) -> float:
    """The margin as a float.

    Raises:
        ValueError: When it is not above 0 and finite.
    """
    if (
        isinstance(margin, bool)
        or not isinstance(margin, int | float)
        or not 0 < margin < math.inf
    ):
        raise ValueError(
            f"`margin` must be a number above 0 and finite. Received: margin={margin!r}"
        )
    return float(margin)
