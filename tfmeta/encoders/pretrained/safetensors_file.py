"""Matrices of floats in files of the format safetensors."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
}
_LONGEST_HEADER = 1 << 20


def read_matrix(path: str | os.PathLike[str]) -> np.ndarray:
    """The only tensor of a file, a matrix of finite floats.

    A file is the length of its header, eight bytes; the header, JSON; and raw values.
    Nothing in it is run.

    Args:
        path: The file.

    Returns:
        `(rows, columns)`, float16 or float32 as in the file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not that.

    Example:

    ```python
    read_matrix("l2_supercat_256.safetensors").shape  # (32000, 256)
    ```
    """
    path = Path(path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(_LONGEST_HEADER, len(content) - 8):
        raise _wrong(path, f"{len(content):,} bytes with a header of {length:,}")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"a header that is no JSON ({error})") from error
    dtype, shape = _described(path, header, len(content) - 8 - length)
    matrix = np.frombuffer(content, dtype, math.prod(shape), 8 + length).reshape(shape)
    if not np.isfinite(matrix).all():
        raise _wrong(path, "values that are not finite")
    return matrix


def _described(
    path: Path, header: Any, num_bytes: int
) -> tuple[np.dtype[Any], tuple[int, int]]:
    """Dtype and shape of the one tensor, which fills all bytes behind the header."""
    tensors = (
        {name: value for name, value in header.items() if name != "__metadata__"}
        if isinstance(header, dict)
        else {}
    )
    if len(tensors) != 1:
        raise _wrong(path, f"{len(tensors)} tensors")
    ((name, tensor),) = tensors.items()
    known = isinstance(tensor, dict) and {"dtype", "shape", "data_offsets"} <= set(
        tensor
    )
    shape = tensor["shape"] if known else None
    if (
        not known
        or tensor["dtype"] not in list(_DTYPES)
        or not isinstance(shape, list)
        or len(shape) != 2
        or not all(type(size) is int and size > 0 for size in shape)
    ):
        raise _wrong(path, f"tensor {name!r}: {str(tensor)[:100]}")
    dtype = _DTYPES[tensor["dtype"]]
    filled = math.prod(shape) * dtype.itemsize
    if tensor["data_offsets"] != [0, filled] or filled != num_bytes:
        raise _wrong(
            path,
            f"tensor {name!r} of shape {shape} at {str(tensor['data_offsets'])[:60]} "
            f"of {num_bytes:,} bytes",
        )
    return dtype, (shape[0], shape[1])


def _wrong(path: Path, found: str) -> ValueError:
    return ValueError(
        f"{path} must be a safetensors file of one matrix, F16 or F32. Received: "
        f"{found}"
    )
