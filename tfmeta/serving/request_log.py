"""A line in the log for each request, with an id that its client is told, too."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfmeta.printable import printable
from tfmeta.serving.errors import error_response
from tfmeta.serving.metrics import Metrics
from tfmeta.serving.refusals import FAULT, as_refusal

logger = logging.getLogger(__name__)

HEADER = b"x-request-id"
# What a client may call its request; another would be a line in our log.
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Of a path in a line.
_MOST_CHARACTERS = 200


class RequestLog:
    """Gives each request an id, counts it, and logs how it ended.

    A client may send the id in `x-request-id`; it comes back in that header.

    Args:
        app: What answers.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = number
        begun, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (HEADER, number.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            refusal = as_refusal(error)
            if refusal.status == FAULT:
                logger.exception("a fault of the server, request %s", number)
            if not status:
                response = error_response(refusal, number)
                await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begun
            endpoint = getattr(scope.get("route"), "path", "other")
            self._metrics.on_request(endpoint, status or 499, seconds)
            logger.info(
                "request %s %s %s %d %.1f ms %s",
                number,
                scope["method"][:10],
                printable(scope["path"][:_MOST_CHARACTERS]),
                status or 499,
                1000 * seconds,
                (scope.get("client") or ("-",))[0],
            )


def _request_id(scope: dict[str, Any] | Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            return value.decode("ascii")
    return uuid.uuid4().hex
