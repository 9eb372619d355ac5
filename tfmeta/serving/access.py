"""Who may ask: whoever has the key, or where there is none, programs of this machine.

A page in a browser can send requests to loopback, by its own name for it, too. Without
a key, a request therefore has to call the server by a name of loopback, and must not
come from a page of elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from tfmeta.serving.errors import error_response
from tfmeta.serving.refusals import Refusal

LEAST_CHARACTERS, MOST_CHARACTERS = 16, 1024
# What says whether the server is well, and nothing of the model.
_OPEN = {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}


def check_key(key: str, source: str) -> str:
    """The key of a file or of the environment, without the end of its line.

    Raises:
        ValueError: When it is too short to be one, or cannot be sent in a header.
    """
    key = key.strip()
    printed = key.isascii() and key.isprintable() and " " not in key
    if not printed or not LEAST_CHARACTERS <= len(key) <= MOST_CHARACTERS:
        raise ValueError(
            f"{source} must hold a key of {LEAST_CHARACTERS} to {MOST_CHARACTERS:,} "
            "letters, digits and signs of ASCII, without a space. Received: another, "
            f"of {len(key):,} characters"
        )
    return key


def is_loopback(host: str) -> bool:
    """Whether a name or address is one of this machine alone; names are not asked."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Refuses who may not ask.

    Args:
        app: What answers.
        key: What a client must send, as `authorization: Bearer KEY` or in `x-api-key`;
            `None` for requests of this machine without.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._digest = None if key is None else _digest(key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or refuses it."""
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                number = scope["state"]["request_id"]
                await error_response(refusal, number)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        hosts = sum(name == b"host" for name, _ in scope["headers"])
        if hosts > 1:
            # Which of them a proxy has looked at is not known.
            return Refusal(
                400,
                f"`host` must be there once (RFC 9112). Received: {hosts:,} of it",
                close=True,
            )
        if self._digest is None:
            return _from_elsewhere(headers)
        if scope["path"] in _OPEN or self._has_key(headers):
            return None
        return Refusal(
            401,
            "`authorization` must be Bearer and the key of this server, or `x-api-key` "
            "the key. Received: none, or another",
            close=True,
        )

    def _has_key(self, headers: dict[bytes, bytes]) -> bool:
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = headers.get(b"x-api-key", b"")
        if scheme.lower() == b"bearer":
            given = bearer.strip()
        assert self._digest is not None
        # Of digests, which are of one length: time tells nothing of the key.
        return hmac.compare_digest(_digest(given), self._digest)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _from_elsewhere(headers: dict[bytes, bytes]) -> Refusal | None:
    host = _host_of(headers.get(b"host", b"").decode("latin-1"))
    if not is_loopback(host):
        return Refusal(
            403,
            "`host` must be a name of this machine, such as 127.0.0.1, for a server "
            f"without a key. Received: {host[:80]!r}",
            close=True,
        )
    origin = headers.get(b"origin")
    if origin is None:
        return None
    page = _host_of(_netloc(origin.decode("latin-1")))
    if is_loopback(page):
        return None
    return Refusal(
        403,
        "`origin` must be a page of this machine, for a server without a key. "
        f"Received: {page[:80]!r}",
        close=True,
    )


def _netloc(url: str) -> str:
    """Host and port of an address, nothing of what is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _host_of(netloc: str) -> str:
    """A host without its port."""
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0]
    return netloc.partition(":")[0]
