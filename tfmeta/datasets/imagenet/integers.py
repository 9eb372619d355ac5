"""Integers in what was pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def integer_array(values: Any, path: Path, what: str) -> np.ndarray:
    """A list or array of integers as an int64 array.

    Args:
        values: What should be integers.
        path: The file it is from, for the message.
        what: What it is, for the message.

    Raises:
        ValueError: When it is something else.
    """
    try:
        array = np.asarray(values)
        if array.ndim == 1 and (array.size == 0 or array.dtype.kind in "iu"):
            return array.astype(np.int64)
        received = f"{array.dtype} of shape {array.shape}"
    except (ValueError, TypeError) as error:
        received = str(error)
    raise ValueError(
        f"{path}: {what!r} must be a list of integers. Received: {received}"
    )
