"""How much a client may ask for, and how many may ask at once."""

from __future__ import annotations

import dataclasses

from tfmeta.serving.refusals import Refusal

MIB = 2**20
# Of one text: what a person writes, and far below what makes a tokenizer slow.
MOST_CHARACTERS = 100_000
# Classes of an answer.
MOST_TOP = 1000


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of requests.

    Attributes:
        body: Bytes of a request's body.
        pixels: Of one encoded picture, by its head, before it is decoded.
        examples: Of one request, support and queries together.
        seconds: Until an answer, from the first byte of the body.
        queue: Requests that are read, wait or are answered at one time.
        batch: Examples that are given to the model at once, of one request or of many.
    """

    body: int = 16 * MIB
    pixels: int = 25_000_000
    examples: int = 256
    seconds: float = 30.0
    queue: int = 64
    batch: int = 32


class Admission:
    """Counts requests, of which a bounded number is there at one time.

    For one event loop, whose tasks call it.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.admitted = 0

    def enter(self) -> None:
        """Admits a request, which `leave` ends.

        Raises:
            Refusal: 429, when there are as many as there may be.
        """
        if self.admitted >= self._most:
            raise Refusal(
                429,
                f"the server works on {self._most:,} requests already, the most it "
                "takes at once; try again",
                retry_after=1,
                close=True,
            )
        self.admitted += 1

    def leave(self) -> None:
        """Ends a request that was admitted."""
        self.admitted -= 1
