"""HTTP/1.1 whose heads, and bodies that nobody reads, are bounded, as uvicorn's not."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 64 * 1024
# Until the head of a request is there, on a new connection or from its first byte.
_SECONDS = 15.0
# For which what a client still sends is thrown away, so that it comes to read the
# answer: on a connection that is closed before, it would find a reset.
_LINGER = 2.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections whose head has no end, or whose body has none after the answer.

    An answer that comes before all of the body, as to one that is too long, does not
    break the connection: what follows is read for a while and thrown away.
    """

    _head_timer: asyncio.TimerHandle | None = None
    # Of the head that is coming: all bytes, `None` when it is there, and its lines.
    _head_bytes: int | None = 0
    _line_bytes = 0
    _body_comes = False
    _lingers = False

    def connection_made(self, transport: Any) -> None:
        """Waits for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing more."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what is no body, and throws away what nobody waits for."""
        if self._lingers:
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > _MOST_BYTES:
            self._have_head()
            self._refuse_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the head."""
        self._count_line(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a line of the head; those behind a chunked body are nobody's."""
        self._count_line(len(name) + len(value))
        if self._head_bytes is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is there."""
        self._have_head()
        self._line_bytes = 0
        self._body_comes = True
        super().on_headers_complete()
        if self.cycle is not None:
            lingering: Any = _LingeringTransport(self.transport, self)
            self.cycle.transport = lingering

    def on_message_complete(self) -> None:
        """All of a body is there."""
        self._body_comes = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A body that is still coming is not waited for without end."""
        super().on_response_complete()
        if self._body_comes and self.cycle.response_complete:
            self.loop.call_later(_LINGER, self._close_unread, self.cycle)

    def send_400_response(self, msg: str) -> None:
        """Says what is wrong with a head."""
        if self._line_bytes > _MOST_BYTES:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def close(self) -> None:
        """Closes the connection when its client has had the time to read the answer."""
        if not self._body_comes:
            self.transport.close()
        elif not self._lingers:
            self._lingers = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.flow.resume_reading()
            self.loop.call_later(_LINGER, self.transport.close)

    def _close_unread(self, cycle: Any) -> None:
        if self._body_comes and self.cycle is cycle:
            self.transport.close()

    def _count_line(self, size: int) -> None:
        self._line_bytes += size
        if self._line_bytes > _MOST_BYTES:
            # The parser ends, and asks for `send_400_response`.
            raise ValueError("too many lines")

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        self._have_head()
        self._head_bytes = self._line_bytes = 0
        self._head_timer = self.loop.call_later(_SECONDS, self._give_up)

    def _have_head(self) -> None:
        self._head_bytes = None
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class _LingeringTransport:
    """A transport as an answer sees it, whose end is its protocol's."""

    def __init__(self, transport: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._transport = transport
        self.close = protocol.close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
