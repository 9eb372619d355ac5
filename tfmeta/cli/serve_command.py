"""`tfmeta serve`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import click

from tfmeta.cli.command import Command
from tfmeta.cli.options import AnyPath, FiniteRange, WholeRange, Word
from tfmeta.extras import MissingExtraError, is_installed

_PACKAGES = ("fastapi", "uvicorn", "prometheus-client", "python-multipart")
_FILE = AnyPath(exists=True, dir_okay=False)


class _Host(Word):
    """An address of this machine; a name could be one of several."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The IP address."""
        word = super().convert(value, param, ctx)
        try:
            return str(ipaddress.ip_address({"localhost": "127.0.0.1"}.get(word, word)))
        except ValueError:
            return self.fail(
                f"must be localhost or an IP address. Received: {word!r}", param, ctx
            )


@click.command(cls=Command)
@click.argument(
    "path",
    metavar="RUN|GALLERY|SAVED_MODEL",
    type=AnyPath(exists=True, file_okay=False),
)
@click.option(
    "--host",
    type=_Host(),
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="The IP address to listen at; one that others reach needs a key.",
)
@click.option(
    "--port",
    type=WholeRange(0, 65_535),
    metavar="PORT",
    default=8000,
    show_default=True,
    help="The port; 0 for any that is free.",
)
@click.option(
    "--key-file",
    type=_FILE,
    help="File of the API key that clients must send. [default: the key in "
    "$TFMETA_API_KEY, or none]",
)
@click.option(
    "--tls-cert",
    type=_FILE,
    help="Certificate (PEM) for HTTPS.",
)
@click.option(
    "--tls-key",
    type=_FILE,
    help="Its private key, without a password. [default: in the file of --tls-cert]",
)
@click.option(
    "--max-body",
    type=WholeRange(1, 1024),
    metavar="MIB",
    default=16,
    show_default=True,
    help="The longest body of a request.",
)
@click.option(
    "--max-pixels",
    type=WholeRange(1, 89_478_485),
    metavar="PIXELS",
    default=25_000_000,
    show_default=True,
    help="The largest picture.",
)
@click.option(
    "--max-examples",
    type=WholeRange(1, 100_000),
    metavar="EXAMPLES",
    default=256,
    show_default=True,
    help="The most examples of a request.",
)
@click.option(
    "--max-requests",
    type=WholeRange(1, 10_000),
    metavar="REQUESTS",
    default=64,
    show_default=True,
    help="Requests at one time; others are told to try again.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0, 3600, min_open=True),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="The longest time until an answer.",
)
@click.option(
    "--batch-size",
    type=WholeRange(1, 4096),
    metavar="EXAMPLES",
    default=32,
    show_default=True,
    help="The most examples, of all requests that wait, that the model is given at "
    "once.",
)
@click.option(
    "--poll",
    type=FiniteRange(0, 86_400, min_open=True),
    metavar="SECONDS",
    default=5.0,
    show_default=True,
    help="How often to look for a newer version of a run or SavedModel.",
)
def serve(path: Path, **options: Any) -> None:
    """Answer over HTTP, by a run, a gallery or a SavedModel.

    Examples are picture files, texts or arrays. POST /classify and /embed answer, POST
    /classes enrols in a gallery, GET /openapi.json has all routes; /v2 is the open
    inference protocol of KServe. Ctrl-C and SIGTERM let requests in flight end.

    Needs: pip install "tfmeta[serve]"
    """
    for package in _PACKAGES:
        if not is_installed(package):
            raise MissingExtraError("tfmeta serve", package, "serve")
    from tfmeta.cli.serve_job import ServeJob

    ServeJob(path=path, **options).serve()
