"""Descriptions of classes: one number, vector or text for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def as_class_attributes(values: Any, table: str, num_classes: int) -> np.ndarray:
    """Class attributes as a table keeps them: texts as str objects.

    Args:
        values: Array or nested sequence, `(classes, *attribute)`.
        table: Name of the table, for messages.
        num_classes: How many classes it has.

    Returns:
        The array.

    Raises:
        ValueError: When they are not one for each class, of one shape, numbers or
            texts.
    """
    must = (
        f"`class_attributes` of table {table!r} must be numbers or texts of one shape "
        f"for each class, {num_classes}."
    )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{must} Received: {error}") from error
    if array.dtype.kind == "U":
        array = array.astype(object)
    if array.dtype == object:
        others = {type(v).__name__ for v in array.flat if not isinstance(v, str)}
        if others:
            raise ValueError(f"{must} Received: {', '.join(sorted(others))}")
    elif array.dtype.kind not in "biuf":
        raise ValueError(f"{must} Received: {array.dtype}")
    if array.ndim == 0 or len(array) != num_classes:
        raise ValueError(f"{must} Received: shape {array.shape}")
    return array


def pick_attributes(
    attributes: np.ndarray | None, class_ids: Sequence[int] | np.ndarray
) -> np.ndarray | None:
    """The attributes of some classes, in the order given."""
    return None if attributes is None else attributes[np.asarray(class_ids, np.int64)]


def attributes_to_json(attributes: np.ndarray) -> dict[str, Any]:
    """Plain values that `attributes_from_json` turns into the same array."""
    dtype = "text" if attributes.dtype == object else attributes.dtype.name
    # The shape, because a list of no numbers does not tell it.
    return {
        "dtype": dtype,
        "shape": list(attributes.shape),
        "values": attributes.ravel().tolist(),
    }


def attributes_from_json(content: dict[str, Any]) -> np.ndarray:
    """The array of an `attributes_to_json`.

    Raises:
        ValueError: When the content is not that.
    """
    try:
        dtype, shape, values = (content[name] for name in ("dtype", "shape", "values"))
        array = np.empty(len(values), object if dtype == "text" else np.dtype(dtype))
        array[:] = values
        return array.reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "class attributes must have a dtype, a shape and as many values. Received: "
            f"{type(error).__name__}: {error}"
        ) from error
