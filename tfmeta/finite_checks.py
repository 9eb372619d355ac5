"""Numbers that are none: found and counted, never taken for a state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def count_not_finite(values: Any) -> int:
    """How many of the numbers are NaN or infinite; none of whole numbers or texts."""
    array = np.asarray(values)
    # Half precision that NumPy does not have is of no kind that it knows.
    if array.dtype.kind not in "fc" and "float" not in array.dtype.name:
        return 0
    return int(np.count_nonzero(~np.isfinite(array)))


def count_not_finite_in(variables: Iterable[Any]) -> dict[str, int]:
    """How many numbers are NaN or infinite, by the names of the variables with such.

    Args:
        variables: Of Keras or of TensorFlow.
    """
    counts = {
        str(getattr(variable, "path", variable.name)): count_not_finite(
            variable.numpy()
        )
        for variable in variables
    }
    return {name: count for name, count in counts.items() if count}


def check_finite_weights(name: str, variables: Iterable[Any]) -> None:
    """Checks that a model holds finite numbers alone.

    A network may hide it: a rectifier gives 0 for NaN on a CPU, and all examples
    the same embedding.

    Raises:
        ValueError: When it does not; counts the tensors and names the first.
    """
    variables = list(variables)
    wrong = count_not_finite_in(variables)
    if wrong:
        first = next(iter(wrong))
        raise ValueError(
            f"{name} must have finite weights. Received: NaN or infinity in "
            f"{len(wrong)} of {len(variables)} tensors, the first {first} with "
            f"{wrong[first]} such numbers; its training failed, train it again with a "
            "lower learning rate"
        )


def check_finite(name: str, values: Any) -> None:
    """Checks that an argument holds finite numbers alone.

    Raises:
        ValueError: When it does not; names the argument and counts.
    """
    wrong = count_not_finite(values)
    if wrong:
        raise ValueError(
            f"`{name}` must be finite. Received: {wrong} of {np.size(values)} numbers "
            "that are NaN or infinite"
        )


def check_some(name: str, values: Any) -> None:
    """Checks that an argument is not empty: the mean of nothing is no figure.

    Raises:
        ValueError: When it is; names the argument.
    """
    if np.size(values) == 0:
        raise ValueError(f"`{name}` must hold at least one. Received: none")
