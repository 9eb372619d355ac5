"""Until when a request is worked on, known to whatever works on it."""

from __future__ import annotations

import contextvars
import time

from tfmeta.serving.refusals import Refusal, busy

# Of the request that a worker thread is answering; none outside of requests.
_current: contextvars.ContextVar[float | None] = contextvars.ContextVar(
    "deadline", default=None
)


def set_deadline(seconds: float) -> None:
    """Says how long the request of this context may take from now on."""
    _current.set(time.monotonic() + seconds)


def seconds_left() -> float | None:
    """How long it may still take, at least 0; `None` for without end."""
    until = _current.get()
    return None if until is None else max(0.0, until - time.monotonic())


def check_deadline() -> None:
    """Ends work on a request that nobody waits for any more.

    Raises:
        Refusal: 503, when its time is over.
    """
    if seconds_left() == 0.0:
        raise out_of_time()


def out_of_time() -> Refusal:
    """The refusal of a request that took too long."""
    return busy("the request took longer than this server allows; try a smaller one")
