"""A server that says when it listens, and ends in order."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn


class OrderlyServer(uvicorn.Server):
    """Ends in order at SIGTERM and SIGINT, and does not raise them again after.

    Args:
        config: Of uvicorn.
        on_listening: Called when it takes connections.
        on_stopping: Called when it is told to end.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says so when it listens."""
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes the signals while it serves."""
        # Python gives signals to the main thread alone.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to end."""
        if self._on_stopping is not None:
            self._on_stopping()
        super().handle_exit(sig, frame)
