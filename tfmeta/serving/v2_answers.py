"""Answers of the open inference protocol (KServe V2), by the model."""

from __future__ import annotations

from typing import Any, TypedDict

from tfmeta._version import __version__
from tfmeta.json_types import check_type
from tfmeta.serving.limits import Limits
from tfmeta.serving.model import Model, Signature
from tfmeta.serving.refusals import Refusal, refused
from tfmeta.serving.v2_tensors import described, read_tensors, written

SERVER = {"name": "tfmeta", "version": __version__, "extensions": []}


class _Tensor(TypedDict):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class _Parameters(TypedDict, total=False):
    parameters: dict[str, Any]


class _Input(_Tensor, _Parameters):
    pass


class _Output(TypedDict):
    name: str


class _Asked(TypedDict):
    inputs: list[_Input]


class _Infer(_Asked, total=False):
    id: str
    parameters: dict[str, Any]
    outputs: list[_Output]


def check_name(model: Model, name: str, version: str | None) -> None:
    """Checks that a request is for the model that is served.

    Raises:
        Refusal: 404, when it is for another, or another version.
    """
    if name != model.name:
        raise Refusal(404, f"the model must be {model.name!r}. Received: {name[:80]!r}")
    if version is not None and version != model.version:
        raise Refusal(
            404,
            f"the version must be {model.version!r}, which is served. Received: "
            f"{version[:80]!r}",
        )


def metadata(model: Model) -> dict[str, Any]:
    """What a model is: tensors of its default signature, and of all by name."""
    signatures = {
        name: _tensors(signature) for name, signature in model.signatures.items()
    }
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": model.platform,
        **signatures[model.default_signature],
        "parameters": {
            "default_signature": model.default_signature,
            "signatures": signatures,
        },
    }


async def infer(
    model: Model, body: dict[str, Any], limits: Limits
) -> tuple[dict[str, Any], int]:
    """The answer of an inference request, and of how many examples it is.

    Raises:
        Refusal, ValueError: When there is none.
    """
    try:
        check_type(body, _Infer, "the body")
    except ValueError as error:
        raise refused(str(error)) from error
    name = body.get("parameters", {}).get("signature", model.default_signature)
    signature = model.signatures.get(name) if isinstance(name, str) else None
    if signature is None:
        raise refused(
            f"`signature` of `parameters` must be one of {', '.join(model.signatures)}."
            f" Received: {str(name)[:80]!r}"
        )
    tensors = read_tensors(body["inputs"], signature, limits)
    number = max((len(array) for array in tensors.values() if array.ndim), default=0)
    asked = [one["name"] for one in body["outputs"]] if body.get("outputs") else None
    outputs = written(await model.call(name, tensors), asked)
    answer = {
        "model_name": model.name,
        "model_version": model.version,
        "outputs": outputs,
    }
    if "id" in body:
        answer["id"] = body["id"]
    return answer, number


def _tensors(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": [described(n, form) for n, form in signature.inputs.items()],
        "outputs": [described(n, form) for n, form in signature.outputs.items()],
    }
