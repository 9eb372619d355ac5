"""What a client is told when it gets no answer: a status, and one line."""

from __future__ import annotations

import re

from tfmeta.printable import one_line

# Of TensorFlow's errors, as in its error_codes.proto.
_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED, _OUT_OF_RANGE, _UNIMPLEMENTED = 3, 8, 11, 12
# Longer, a message would repeat what was sent.
_MOST_CHARACTERS = 500

FAULT = 500

# Of the checks in a graph: their words, and what came.
_ASSERTION = re.compile(
    r"assertion failed: \[(.*?)\](?: (\[.*?\]))?(?:\n|$)", re.DOTALL
)


class Refusal(Exception):
    """A request that is not answered.

    Attributes:
        status: Of HTTP: 4xx where the client can mend it, 503 where it may try again.
        message: Names what was given, what is accepted and what came.
        retry_after: Seconds after which to try again, `None` for never.
        close: Whether the connection ends, as where a body was not read.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.close = close


def refused(message: str) -> Refusal:
    """The refusal of a request whose form or content is wrong."""
    return Refusal(422, message)


def of_example(error: ValueError, place: int, number: int) -> Refusal:
    """The refusal of a request for one of its examples.

    Args:
        error: What is wrong with it.
        place: Which one, from 0.
        number: How many there are.
    """
    return refused(_line(f"example {place + 1:,} of {number:,}: {error}"))


def busy(message: str) -> Refusal:
    """The refusal of a request that may be tried again."""
    return Refusal(503, message, retry_after=1)


def not_there(error: KeyError) -> Refusal:
    """The refusal of a request for what does not exist, by an error that says so."""
    return Refusal(404, _line(str(error.args[0])))


def as_refusal(error: BaseException) -> Refusal:
    """What a client is told of an error; of a fault no more than that it is one."""
    if isinstance(error, Refusal):
        return error
    # Of paths on this machine nothing is said.
    if isinstance(error, OSError):
        return busy(
            "the model cannot be read or written just now "
            f"({type(error).__name__}); try again"
        )
    if isinstance(error, MemoryError):
        return busy("there is no memory for this request just now; try a smaller one")
    if isinstance(error, ValueError):
        return refused(_line(str(error)))
    code = getattr(error, "error_code", None)
    if code == _RESOURCE_EXHAUSTED:
        return busy("there is no memory for this request just now; try a smaller one")
    if code in (_INVALID_ARGUMENT, _OUT_OF_RANGE, _UNIMPLEMENTED):
        return refused(_of_tensorflow(getattr(error, "message", str(error))))
    return Refusal(FAULT, "a fault of the server; its log has more by the request id")


def _of_tensorflow(message: str) -> str:
    """What TensorFlow says of a request, without where in the graph."""
    found = _ASSERTION.search(message)
    if found is not None:
        return _line(" ".join(found.groups("")))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    of_node = ("[[", "Graph execution", "Detected at", "File ", "<stack")
    said = [line for line in lines if not line.startswith(of_node)]
    return _line((said or ["the model does not take this"])[-1])


def _line(message: str) -> str:
    """Its first line, escaped and not too long."""
    first = (message.strip().splitlines() or [""])[0]
    return one_line(first[:_MOST_CHARACTERS])
