"""The process that serves: its socket, its certificate, its signals, its log."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from tfmeta.serving.address import Address
from tfmeta.serving.http_protocol import BoundedProtocol
from tfmeta.serving.orderly_server import OrderlyServer
from tfmeta.serving.service import Service

# Connections at one time; each takes a file of the process.
_MOST_CONNECTIONS = 500
_BACKLOG = 512
# Seconds that an idle connection is kept.
_KEEP_ALIVE = 15
# Beyond the time of a request, for what a stop takes besides.
_GRACE = 2.0


def make_server(
    app: FastAPI,
    service: Service,
    address: Address,
    *,
    on_listening: Callable[[], None],
) -> uvicorn.Server:
    """A server, which `run` starts and SIGTERM or SIGINT ends.

    Args:
        app: The application.
        service: What it answers by.
        address: Where, and by which certificate.
        on_listening: Called when it takes connections.
    """
    certificate, key = address.certificate, address.private_key
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=_MOST_CONNECTIONS,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(service.limits.seconds + _GRACE),
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
    )

    def stopping() -> None:
        service.stopping = True

    return OrderlyServer(config, on_listening=on_listening, on_stopping=stopping)


def serve(
    app: FastAPI,
    service: Service,
    address: Address,
    bound: socket.socket,
    *,
    on_listening: Callable[[str], None],
) -> None:
    """Serves until SIGTERM or SIGINT; requests in flight are answered, then it returns.

    Args:
        app: The application.
        service: What it answers by, which is closed at the end.
        address: Where, and by which certificate.
        bound: Its socket, which is closed at the end, too.
        on_listening: Called with the address for clients when it takes connections.
    """
    with contextlib.closing(service), bound:
        url = address.url(bound.getsockname()[1])
        server = make_server(
            app, service, address, on_listening=lambda: on_listening(url)
        )
        server.run(sockets=[bound])


def log_to_stderr() -> None:
    """Writes the log of the server to stderr, a line for each request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # Of forms that are none; their clients are told.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    for name, level in (("tfmeta.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
