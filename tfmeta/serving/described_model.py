"""What a SavedModel says of itself in `tfmeta.json`, as far as a server needs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from tfmeta.classifying.saved_model import read_description
from tfmeta.json_types import check_type
from tfmeta.serving.model import Signature, TensorForm


class _Tensor(TypedDict):
    shape: list[int | None]
    dtype: str


class _Signature(TypedDict):
    inputs: dict[str, _Tensor]
    outputs: dict[str, _Tensor]
    batchable: bool


class _Gallery(TypedDict):
    classes: dict[str, int]
    invert: bool
    top: int


class _Described(TypedDict):
    """Of `tfmeta.json`, what is read."""

    example: _Tensor
    default_signature: str
    signatures: dict[str, _Signature]


def read_described(path: Path) -> dict[str, Any]:
    """The `tfmeta.json` of a version folder.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is damaged, of a newer version, or of one before 2.
    """
    file = path / "tfmeta.json"
    described: dict[str, Any] = check_type(read_description(path), _Described, file)
    if described.get("gallery") is not None:
        check_type(described["gallery"], _Gallery, f"`gallery` of {file}")
    return described


def as_signatures(described: Mapping[str, Any]) -> dict[str, Signature]:
    """The signatures of a checked description, by name."""
    found = {}
    for name, one in described.items():
        inputs, outputs = (
            {n: TensorForm(tuple(t["shape"]), t["dtype"]) for n, t in part.items()}
            for part in (one["inputs"], one["outputs"])
        )
        # Of the signature that takes them decoded.
        plain = described.get(name.removesuffix("_encoded"), one)["inputs"]
        files = {
            n
            for n, form in inputs.items()
            if form.dtype == "string" and n in plain and plain[n]["dtype"] != "string"
        }
        found[name] = Signature(inputs, outputs, one["batchable"], frozenset(files))
    return found
