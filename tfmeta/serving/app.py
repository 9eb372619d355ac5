"""The application: routes, who may ask, and how it says no."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from tfmeta._version import __version__
from tfmeta.printable import one_line
from tfmeta.serving.access import Access
from tfmeta.serving.errors import error_response
from tfmeta.serving.refusals import Refusal, as_refusal
from tfmeta.serving.request_log import RequestLog
from tfmeta.serving.routes import routes
from tfmeta.serving.service import Service
from tfmeta.serving.v2_routes import v2_routes

_DESCRIPTION = (
    "Embeds and classifies examples, and enrols new classes from a few of them. "
    "`GET /model` says which examples this model takes."
)


def make_app(service: Service, *, key: str | None = None) -> FastAPI:
    """The application over a model.

    Args:
        service: What answers; whoever made it closes it.
        key: As of `Access`.

    Returns:
        An application of ASGI.
    """
    app = FastAPI(
        title="tfmeta",
        version=__version__,
        description=_DESCRIPTION,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # Says it in OpenAPI alone; `Access` is what refuses.
        dependencies=[] if key is None else [Security(HTTPBearer(auto_error=False))],
    )
    app.include_router(routes(service))
    app.include_router(v2_routes(service))
    # The last one added is the first that sees a request.
    app.add_middleware(Access, key=key)
    app.add_middleware(RequestLog, metrics=service.metrics)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, error: Refusal) -> Response:
        return error_response(error, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def refuse_query(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        message = (
            f"`{first['loc'][-1]}` of the {first['loc'][0]}: {first['msg']}. Received: "
            f"{str(first['input'])[:80]!r}"
        )
        return error_response(as_refusal(ValueError(message)), request.state.request_id)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> Response:
        message = (
            f"{error.detail}; GET /openapi.json has all routes. Received: "
            f"{request.method} {request.scope['raw_path'].decode('latin-1')[:200]}"
        )
        # As every refusal, in one line whatever the path holds.
        refusal = Refusal(error.status_code, one_line(message))
        response = error_response(refusal, request.state.request_id)
        response.headers.update(error.headers or {})
        return response

    return app
