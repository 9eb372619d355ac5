"""The server of the page: on loopback, for this machine's browsers alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from tfmeta.serving.orderly_server import OrderlyServer

if TYPE_CHECKING:
    import gradio as gr

HOST = "127.0.0.1"
# Of one file that is uploaded.
_MOST_BYTES = 32 * 2**20
# Seconds that a stop waits for what is under way; pages that are open never end.
_GRACE = 2
_DOCUMENTATION = ("openapi_url", "docs_url", "redoc_url")
# The browser's own, for nothing is fetched.
_FONTS, _FIXED_FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]


@contextlib.contextmanager
def private_gradio() -> Iterator[None]:
    """Lets Gradio report to nobody, and forget what was uploaded when this ends.

    It reads these variables when it is imported and when a page is made.
    """
    with tempfile.TemporaryDirectory(prefix="tfmeta-demo-") as uploads:
        settings = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def make_app(page: gr.Blocks, *, style: str, script: str) -> FastAPI:
    """The application of a page: without documentation of its own, links or history.

    Args:
        page: The page.
        style: Its CSS.
        script: A function of JavaScript that is called when it is there.
    """
    import gradio as gr

    undocumented: dict[str, Any] = dict.fromkeys(_DOCUMENTATION)
    app = FastAPI(**undocumented)
    # A page of somebody else whose name leads here must not read this one.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=HOST,
        app_kwargs=undocumented,
        theme=gr.themes.Default(font=_FONTS, font_mono=_FIXED_FONTS),
        css=style,
        js=script,
        max_file_size=_MOST_BYTES,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )


def make_server(app: FastAPI, *, on_listening: Callable[[], None]) -> uvicorn.Server:
    """A server, which `run` starts and SIGTERM or SIGINT ends.

    Args:
        app: The application.
        on_listening: Called when it takes connections.
    """
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE,
    )
    return OrderlyServer(config, on_listening=on_listening)
