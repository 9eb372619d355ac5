"""The routes of the open inference protocol (KServe V2)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from tfmeta.serving import v2_answers
from tfmeta.serving.body import ACCEPTED
from tfmeta.serving.limits import Limits
from tfmeta.serving.model import Model
from tfmeta.serving.schemas import REFUSALS, answers, array, body, obj
from tfmeta.serving.service import Service

_TEXT = {"type": "string"}
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_TENSOR = obj(
    {
        "name": _TEXT,
        "shape": _SHAPE,
        "datatype": _TEXT,
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}},
    },
    "parameters",
)
_INPUT = {"name": "examples", "shape": [1, 2], "datatype": "FP32", "data": [0.1, 0.2]}
_INFER = body(
    obj(
        {
            "id": _TEXT,
            "parameters": {"type": "object"},
            "inputs": array(_TENSOR),
            "outputs": array(obj({"name": _TEXT})),
        },
        *("id", "parameters", "outputs"),
    ),
    {
        "by the default signature": {"inputs": [_INPUT]},
        "by another": {"parameters": {"signature": "embed"}, "inputs": [_INPUT]},
    },
)
_INFERRED = answers(
    obj(
        {
            "model_name": _TEXT,
            "model_version": _TEXT,
            "id": _TEXT,
            "outputs": array(_TENSOR),
        },
        "id",
    ),
    {
        "model_name": "points",
        "model_version": "1",
        "outputs": [
            {
                "name": "embeddings",
                "datatype": "FP32",
                "shape": [1, 2],
                "data": [0.1, 0.2],
            }
        ],
    },
)


def v2_routes(service: Service) -> APIRouter:
    """The routes of the protocol over a model.

    Args:
        service: What answers.
    """
    router = APIRouter(
        prefix="/v2", tags=["open inference protocol"], responses=REFUSALS
    )

    @router.get("", summary="Server metadata")
    async def server() -> dict[str, Any]:
        return dict(v2_answers.SERVER)

    @router.get("/health/live", summary="Server live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Server ready")
    async def ready() -> dict[str, bool]:
        await run_in_threadpool(service.check_ready)
        return {"ready": True}

    async def metadata(name: str, version: str | None = None) -> Response:
        def found(model: Model) -> dict[str, Any]:
            v2_answers.check_name(model, name, version)
            return v2_answers.metadata(model)

        return await service.look(found)

    async def model_ready(name: str, version: str | None = None) -> Response:
        def found(model: Model) -> dict[str, Any]:
            v2_answers.check_name(model, name, version)
            service.check_ready()
            return {"name": model.name, "ready": True}

        return await service.look(found)

    async def infer(
        request: Request, name: str, version: str | None = None
    ) -> Response:
        async def found(
            model: Model, holds: dict[str, Any], limits: Limits
        ) -> tuple[dict[str, Any], int]:
            v2_answers.check_name(model, name, version)
            return await v2_answers.infer(model, holds, limits)

        return await service.answer(request, found, accepted=ACCEPTED["json"])

    @router.get("/models/{name}", summary="Model metadata")
    async def of_model(name: str) -> Response:
        return await metadata(name)

    @router.get("/models/{name}/versions/{version}", summary="Model metadata")
    async def of_version(name: str, version: str) -> Response:
        return await metadata(name, version)

    @router.get("/models/{name}/ready", summary="Model ready")
    async def ready_model(name: str) -> Response:
        return await model_ready(name)

    @router.get("/models/{name}/versions/{version}/ready", summary="Model ready")
    async def ready_version(name: str, version: str) -> Response:
        return await model_ready(name, version)

    extra: dict[str, Any] = {
        "summary": "Inference",
        "openapi_extra": _INFER,
        "responses": _INFERRED,
    }

    @router.post("/models/{name}/infer", **extra)
    async def infer_model(request: Request, name: str) -> Response:
        """What a signature of the model gives; `parameters.signature` names it."""
        return await infer(request, name)

    @router.post("/models/{name}/versions/{version}/infer", **extra)
    async def infer_version(request: Request, name: str, version: str) -> Response:
        """The same, by one version, where it is the one that is served."""
        return await infer(request, name, version)

    return router
