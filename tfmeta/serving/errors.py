"""Refusals as responses of HTTP."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from tfmeta.serving.refusals import Refusal


def error_response(refusal: Refusal, request_id: str) -> Response:
    """The response of a refusal: `{"error": ..., "request_id": ...}`."""
    headers = {}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    if refusal.close:
        headers["connection"] = "close"
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    content = {"error": refusal.message, "request_id": request_id}
    return JSONResponse(content, refusal.status, headers)
