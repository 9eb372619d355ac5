"""The routes of tfmeta: embed, classify, and the classes of a gallery."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse

from tfmeta.serving import answers, schemas
from tfmeta.serving.body import ACCEPTED
from tfmeta.serving.limits import Limits
from tfmeta.serving.metrics import CONTENT_TYPE
from tfmeta.serving.model import Model
from tfmeta.serving.service import Service

_MOST_LISTED = 100_000
# Beyond what SQLite and slices count.
_MOST_OFFSET = 2**53


def routes(service: Service) -> APIRouter:
    """The routes over a model.

    Args:
        service: What answers.
    """
    router = APIRouter(responses=schemas.REFUSALS)

    @router.post(
        "/embed",
        summary="Embed examples",
        openapi_extra=schemas.EMBED,
        responses=schemas.EMBEDDED,
    )
    async def embed(request: Request) -> Response:
        """Embeddings of examples, in order; the answer to each depends on it alone."""
        return await service.answer(
            request, answers.embed, accepted=ACCEPTED["queries"]
        )

    @router.post(
        "/classify",
        summary="Classify examples",
        openapi_extra=schemas.CLASSIFY,
        responses=schemas.CLASSIFIED,
    )
    async def classify(request: Request) -> Response:
        """The most probable classes of examples, in order.

        A gallery has classes of its own; `class` is null where the answer is none of
        them. Any other model learns the classes of `support` in the same request; with
        `open_set`, `class` is null likewise.
        """
        return await service.answer(
            request, answers.classify, accepted=ACCEPTED["queries"]
        )

    @router.post(
        "/classes",
        summary="Change classes",
        openapi_extra=schemas.CHANGE,
        responses=schemas.CHANGED,
    )
    async def change_classes(request: Request) -> Response:
        """Enrols classes or adds examples to them, renames or forgets one.

        The change is on the disk when the answer comes. An example that its class has
        is passed over, so that a request whose answer was lost can be sent again.
        """
        return await service.answer(
            request, answers.change_classes, accepted=ACCEPTED["classes"]
        )

    @router.get("/classes", summary="List classes", responses=schemas.LISTED)
    async def list_classes(
        name: Annotated[
            str | None,
            Query(description="A class, whose examples are listed.", max_length=4000),
        ] = None,
        offset: Annotated[int, Query(ge=0, le=_MOST_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 1000,
    ) -> Response:
        """Classes with their numbers of examples, or the examples of one, with ids."""
        if name is None:
            return await service.look(
                lambda model: answers.list_classes(model, offset, limit)
            )
        return await service.look(
            lambda model: answers.list_examples(model, name, offset, limit)
        )

    @router.get("/model", summary="What is served")
    async def model() -> Response:
        """Name and version of the model, which examples it takes, and the limits."""
        limits: Limits = service.limits

        def described(model: Model) -> dict[str, object]:
            return answers.describe(model, limits)

        return await service.look(described)

    @router.get("/health/live", summary="Whether the server runs")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Whether it answers requests now")
    async def ready() -> dict[str, bool]:
        await run_in_threadpool(service.check_ready)
        return {"ready": True}

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
    )
    async def metrics() -> Response:
        text = await run_in_threadpool(service.metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    return router
