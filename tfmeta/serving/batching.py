"""Micro-batching: examples of several clients in one call of the model.

There is no delay: while the model works on one batch others come in, and go together
into the next. What is joined is what the model answers row by row, so that nobody's
answer depends on who else asks.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfmeta.serving.deadline import out_of_time, seconds_left

Rows: TypeAlias = Mapping[str, np.ndarray]
# From named arrays to named arrays, of which each has the rows as its first axis.
Function: TypeAlias = Callable[[Rows], Rows]


@dataclasses.dataclass(eq=False)
class _Piece:
    """Rows that wait.

    Attributes:
        key: Pieces of the same key may go together.
        function: What they are for.
        rows: They.
        until: When nobody waits any more, by the monotonic clock; `None` for never.
        answer: Of these rows alone.
    """

    key: tuple[Any, ...]
    function: Function
    rows: Rows
    until: float | None
    answer: concurrent.futures.Future[Rows] = dataclasses.field(
        default_factory=concurrent.futures.Future
    )

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))


class MicroBatcher:
    """One thread that calls models with the rows of those who wait.

    Args:
        most_rows: How many at once.
        on_batch: Called with the number of rows and of requests of each batch.
    """

    def __init__(
        self, most_rows: int, *, on_batch: Callable[[int, int], None] | None = None
    ) -> None:
        self._most = most_rows
        self._on_batch = on_batch
        self._waiting: collections.deque[_Piece] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    async def ask(
        self, owner: object, function: Function, rows: Rows
    ) -> dict[str, Any]:
        """As `call`, for an event loop."""
        pieces = self._put(owner, function, rows)
        answers = asyncio.gather(*(asyncio.wrap_future(one.answer) for one in pieces))
        try:
            return _joined(await asyncio.wait_for(answers, seconds_left()))
        except asyncio.TimeoutError as error:
            raise out_of_time() from error

    def call(self, owner: object, function: Function, rows: Rows) -> dict[str, Any]:
        """What a function gives for some rows, perhaps together with others'.

        Args:
            owner: Rows go together where this is the same object, such as a model and
                the name of its signature.
            function: Row by row: no row has a part in another's answer.
            rows: Named arrays `(rows, ...)` of one length.

        Returns:
            Named arrays `(rows, ...)`.

        Raises:
            Refusal: 503, when the time of the request is over.
            Exception: What the function raises for these rows alone.
        """
        pieces = self._put(owner, function, rows)
        try:
            return _joined(
                [piece.answer.result(timeout=seconds_left()) for piece in pieces]
            )
        except concurrent.futures.TimeoutError as error:
            raise out_of_time() from error

    def _put(self, owner: object, function: Function, rows: Rows) -> list[_Piece]:
        """Rows that wait from now on, in pieces that are no batch too large."""
        number = len(next(iter(rows.values())))
        left = seconds_left()
        until = None if left is None else time.monotonic() + left
        pieces = []
        for start in range(0, max(1, number), self._most):
            part = {n: array[start : start + self._most] for n, array in rows.items()}
            forms = tuple((n, a.shape[1:], a.dtype.str) for n, a in part.items())
            pieces.append(_Piece((owner, forms), function, part, until))
        with self._changed:
            if self._closed:
                raise out_of_time()
            self._waiting.extend(pieces)
            self._changed.notify()
        return pieces

    def close(self) -> None:
        """Answers those who wait, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Answers a batch; whether there may be another.

        Between two batches nothing is held of a model, which may have been replaced.
        """
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return False
            pieces = self._taken()
        _answer(pieces)
        if self._on_batch is not None and pieces:
            self._on_batch(sum(map(len, pieces)), len(pieces))
        return True

    def _taken(self) -> list[_Piece]:
        """The first that waits, and those that may go with it."""
        now, taken, left = time.monotonic(), [], []  # type: float, list[_Piece], list
        rows = 0
        for piece in self._waiting:
            if piece.until is not None and piece.until <= now:
                piece.answer.set_exception(out_of_time())
            elif not taken or (
                piece.key == taken[0].key and rows + len(piece) <= self._most
            ):
                taken.append(piece)
                rows += len(piece)
            else:
                left.append(piece)
        self._waiting = collections.deque(left)
        return taken


def _joined(answers: list[Rows]) -> dict[str, Any]:
    if len(answers) == 1:
        return dict(answers[0])
    return {n: np.concatenate([one[n] for one in answers]) for n in answers[0]}


def _answer(pieces: list[_Piece]) -> None:
    """Answers them together, or each alone where that fails: it may be one's fault."""
    if len(pieces) > 1:
        try:
            names = pieces[0].rows
            joined = {n: np.concatenate([p.rows[n] for p in pieces]) for n in names}
            found = pieces[0].function(joined)
            ends = np.cumsum([len(piece) for piece in pieces])
            if all(len(array) == ends[-1] for array in found.values()):
                for piece, end in zip(pieces, ends, strict=True):
                    own = slice(end - len(piece), end)
                    piece.answer.set_result({n: a[own] for n, a in found.items()})
                return
        except Exception:
            pass  # Whose fault it is shows below.
    for piece in pieces:
        try:
            piece.answer.set_result(piece.function(piece.rows))
        except Exception as error:
            piece.answer.set_exception(error)
