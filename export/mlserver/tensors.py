"""Tensors of V2 requests, each checked alone against what a signature takes."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

DATATYPES = {
    **{"bool": "BOOL", "string": "BYTES", "float16": "FP16", "float32": "FP32"},
    **{"float64": "FP64", "int8": "INT8", "int16": "INT16", "int32": "INT32"},
    **{"int64": "INT64", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32"},
    "uint64": "UINT64",
}


def read_array(tensor: Any, form: Mapping[str, Any], most: int) -> np.ndarray:
    """Numbers of the shape and dtype of an input.

    Args:
        tensor: With `name`, `datatype`, `shape` and `data`.
        form: `shape` and `dtype` of `tfmeta.json`.
        most: How many examples there may be.

    Raises:
        ValueError: When it is of another form.
    """
    shape = checked_shape(tensor, form, most)
    what = f"`data` of `inputs` {tensor.name!r}"
    dtype = np.dtype(form["dtype"])
    try:
        given = np.asarray(tensor.data.root)
    except ValueError as error:
        raise ValueError(f"{what} must be an array. Received: a ragged one") from error
    if given.size == 0:
        given = given.astype(dtype)
    kinds = {"b": "b", "f": "iuf"}.get(dtype.kind, "iu")
    if given.dtype.kind not in kinds or given.size != math.prod(shape):
        raise ValueError(
            f"{what} must be {math.prod(shape):,} values of {tensor.datatype}. "
            f"Received: {given.size:,} of {given.dtype.name}"
        )
    if dtype.kind in "iu" and given.size:
        bounds = np.iinfo(dtype)
        if given.min() < bounds.min or given.max() > bounds.max:
            raise ValueError(
                f"{what} must be {bounds.min} to {bounds.max}. Received: "
                f"{given.min()} to {given.max()}"
            )
    return given.astype(dtype).reshape(shape)


def read_strings(
    tensor: Any, form: Mapping[str, Any], most: int, *, in_base64: bool
) -> np.ndarray:
    """Texts, or files: as they are from gRPC, in base64 from JSON.

    Args:
        tensor: As of `read_array`.
        form: Likewise.
        most: Likewise.
        in_base64: Whether what came as text is base64.

    Raises:
        ValueError: When it is of another form.
    """
    shape = checked_shape(tensor, form, most)
    what = f"`data` of `inputs` {tensor.name!r}"
    given = tensor.data.root
    if not isinstance(given, list) or len(given) != math.prod(shape):
        raise ValueError(f"{what} must be {math.prod(shape):,} values")
    found = np.empty(len(given), object)
    for place, one in enumerate(given):
        if not isinstance(one, str | bytes):
            raise ValueError(f"{what} must be texts. Received: another value")
        if isinstance(one, str):
            try:
                one = (
                    base64.b64decode(one, validate=True) if in_base64 else one.encode()
                )
            except ValueError as error:
                raise ValueError(f"{what} must be base64. Received: other") from error
        found[place] = one
    return found.reshape(shape)


def checked_shape(tensor: Any, form: Mapping[str, Any], most: int) -> tuple[int, ...]:
    """The shape that a tensor says it has.

    Raises:
        ValueError: When datatype or shape are others than those of the input.
    """
    what, datatype = f"`inputs` {tensor.name!r}", DATATYPES[form["dtype"]]
    if tensor.datatype != datatype:
        raise ValueError(
            f"`datatype` of {what} must be {datatype}. Received: {tensor.datatype}"
        )
    wanted, given = form["shape"], list(tensor.shape)
    fits = len(given) == len(wanted) and all(
        size == fixed or (fixed is None and size >= (place > 0))
        for place, (size, fixed) in enumerate(zip(given, wanted, strict=True))
    )
    if not fits:
        free = [-1 if size is None else size for size in wanted]
        raise ValueError(
            f"`shape` of {what} must be {free}, where -1 is free. Received: {given[:8]}"
        )
    if given and wanted[0] is None and given[0] > most:
        raise ValueError(
            f"{what} must hold at most {most:,} examples. Received: {given[0]:,}"
        )
    return tuple(given)
