"""What a constructor's argument means as a keras-tuner hyper-parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np


def several(name: str, value: Any) -> tuple:
    """The different values of an argument that takes one value or several.

    Raises:
        ValueError: When there is none.
    """
    several = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    # keras-tuner takes no NumPy numbers.
    values = tuple(
        v.item() if isinstance(v, np.generic) else v
        for v in (value if several else [value])
    )
    if not values:
        raise ValueError(f"`{name}` must hold at least one value. Received: {value!r}")
    return tuple(dict.fromkeys(values))


def choose(hp: keras_tuner.HyperParameters, name: str, values: tuple) -> Any:
    """The trial's value among `values`; a single one is no choice."""
    if len(values) == 1:
        return hp.Fixed(name, values[0])
    if isinstance(values[0], bool):
        # A Choice of keras-tuner would turn them into 0 and 1.
        return hp.Boolean(name, default=values[0])
    return hp.Choice(name, list(values))


def choose_on_log_scale(
    hp: keras_tuner.HyperParameters, name: str, low: float, high: float
) -> float:
    """The trial's value between `low` and `high`, their geometric mean by default."""
    if low == high:
        return hp.Fixed(name, low)
    default = math.sqrt(low * high)
    return hp.Float(name, low, high, sampling="log", default=default)
