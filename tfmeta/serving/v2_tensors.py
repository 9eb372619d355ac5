"""Tensors of the open inference protocol (KServe V2), as JSON."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from tfmeta.serving.example_form import ExampleForm
from tfmeta.serving.limits import Limits
from tfmeta.serving.model import Signature, TensorForm
from tfmeta.serving.nested_lists import as_numbers, flattened
from tfmeta.serving.refusals import refused

_DATATYPES = {
    **{"bool": "BOOL", "string": "BYTES", "float16": "FP16", "float32": "FP32"},
    **{"float64": "FP64", "int8": "INT8", "int16": "INT16", "int32": "INT32"},
    **{"int64": "INT64", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32"},
    "uint64": "UINT64",
}
# Of a free size, before anything is made of it.
_MOST_SIZE = 2**31
# Whose first axis counts examples; that of a state, as of statistics, does not.
_OF_EXAMPLES = ("examples", "support", "support_labels", "query")
_PICTURES = ExampleForm((None, None, 3), "uint8")


class V2Tensor(TypedDict, total=False):
    """A tensor of a request."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any]
    data: list[Any]


def described(name: str, form: TensorForm) -> dict[str, Any]:
    """A tensor for the metadata of a model; -1 stands for a free size."""
    return {
        "name": name,
        "datatype": _DATATYPES[form.dtype],
        "shape": [-1 if size is None else size for size in form.shape],
    }


def read_tensors(
    given: list[V2Tensor], signature: Signature, limits: Limits
) -> dict[str, np.ndarray]:
    """The inputs of a signature; texts and files as `bytes` objects.

    Raises:
        Refusal: 422, when one is missing, unknown, or of another form.
    """
    names = [one["name"] for one in given]
    if sorted(names) != sorted(signature.inputs):
        raise refused(
            f"`inputs` must be {', '.join(sorted(signature.inputs)) or 'none'}. "
            f"Received: {', '.join(sorted(names))[:200] or 'none'}"
        )
    tensors = {one["name"]: _read(one, signature, limits) for one in given}
    lengths = {len(array) for array in tensors.values() if array.ndim}
    if signature.batchable and len(lengths) > 1:
        raise refused(
            "`inputs` must be of one length. Received: "
            + ", ".join(map(str, sorted(lengths)))
        )
    return tensors


def written(
    outputs: Mapping[str, np.ndarray], asked: list[str] | None
) -> list[dict[str, Any]]:
    """Outputs as JSON.

    Args:
        outputs: Tensors by name. A logit of `-inf`, of a class that a head has and the
            support has not, becomes the lowest number of its dtype, which JSON holds.
        asked: Which, `None` for all.

    Raises:
        Refusal: 422, for an output that is not there.
        ValueError: When an answer is not finite.
    """
    unknown = set(asked or ()) - set(outputs)
    if unknown:
        raise refused(
            f"`outputs` must be among {', '.join(outputs)}. Received: "
            f"{sorted(unknown)[0][:80]!r}"
        )
    return [_written(name, outputs[name]) for name in asked or outputs]


def _read(tensor: V2Tensor, signature: Signature, limits: Limits) -> np.ndarray:
    name = tensor["name"]
    form, what = signature.inputs[name], f"`inputs` {name!r}"
    datatype = _DATATYPES[form.dtype]
    if tensor["datatype"] != datatype:
        raise refused(
            f"`datatype` of {what} must be {datatype}. Received: "
            f"{tensor['datatype'][:20]!r}"
        )
    most = limits.examples if name in _OF_EXAMPLES else _MOST_SIZE
    shape = _checked_shape(tensor["shape"], form, what, most)
    try:
        values, found = flattened(tensor["data"], what)
        if len(values) != math.prod(shape) or (len(found) > 1 and found != shape):
            raise refused(
                f"`data` of {what} must hold the {math.prod(shape):,} values of its "
                f"shape {list(shape)}. Received: {len(values):,}"
            )
        if form.dtype != "string":
            dtype = np.dtype(form.dtype)
            return as_numbers(values, dtype, what).reshape(shape)
    except ValueError as error:
        raise refused(str(error)) from error
    is_file = name in signature.files
    decoded = tensor.get("parameters", {}).get("content_type") == "base64"
    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = _bytes_of(value, f"{what}[{place}]", is_file or decoded)
        if is_file:
            _PICTURES.read(array[place], f"{what}[{place}]", limits)
    return array.reshape(shape)


def _checked_shape(
    given: list[int], form: TensorForm, what: str, most: int
) -> tuple[int, ...]:
    fits = len(given) == len(form.shape) and all(
        size == wanted or (wanted is None and 0 <= size < _MOST_SIZE)
        for size, wanted in zip(given, form.shape, strict=True)
    )
    # An example of no size is none.
    if not fits or 0 in given[1:]:
        free = [-1 if size is None else size for size in form.shape]
        raise refused(
            f"`shape` of {what} must be {free}, where -1 is free. Received: {given[:8]}"
        )
    if form.shape and form.shape[0] is None and given[0] > most:
        raise refused(
            f"{what} must hold at most {most:,} examples. Received: {given[0]:,}"
        )
    return tuple(given)


def _bytes_of(value: Any, what: str, in_base64: bool) -> bytes:
    if not isinstance(value, str):
        raise refused(f"{what} must be a text. Received: another value")
    if not in_base64:
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused(f"{what} must be base64. Received: other text") from error


def _written(name: str, array: np.ndarray) -> dict[str, Any]:
    dtype = "string" if array.dtype == object else array.dtype.name
    flat = array.reshape(-1)
    if dtype == "string":
        data: list[Any] = [one.decode("utf-8", "replace") for one in flat]
    else:
        if name == "logits" and array.dtype.kind == "f":
            flat = np.where(flat == -np.inf, np.finfo(flat.dtype).min, flat)
        wrong = np.count_nonzero(~np.isfinite(flat))
        if wrong:
            raise ValueError(
                f"`inputs` must be such that {name} is finite. Received: {wrong} of "
                f"{flat.size} numbers that are not"
            )
        data = flat.tolist()
    return {
        "name": name,
        "datatype": _DATATYPES[dtype],
        "shape": list(array.shape),
        "data": data,
    }
