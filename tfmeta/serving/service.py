"""Requests in, answers out: bounded in number and time, worked on in threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from tfmeta.json_files import json_text
from tfmeta.serving.batching import MicroBatcher
from tfmeta.serving.body import parsed, read_body
from tfmeta.serving.deadline import check_deadline, out_of_time, set_deadline
from tfmeta.serving.limits import Admission, Limits
from tfmeta.serving.metrics import Metrics
from tfmeta.serving.model import Model
from tfmeta.serving.opening import open_model
from tfmeta.serving.refusals import FAULT, as_refusal, busy
from tfmeta.serving.threads import own_loop, shared_loop

logger = logging.getLogger(__name__)

# Threads for what is large or blocks; the model itself has one.
_MOST_THREADS = 32
# Bytes of a body beyond which to read it takes longer than to change threads, twice.
_SMALL = 2**16
Answer: TypeAlias = Coroutine[Any, Any, tuple[dict[str, Any], int]]
# From the model that answers, what the body holds, and limits to the answer, and the
# number of examples that it is of.
Work: TypeAlias = Callable[[Model, dict[str, Any], Limits], Answer]


class Service:
    """A model and all that is needed to answer for it.

    Args:
        path: What is served, as of `open_model`.
        limits: Bounds of requests.
        poll: Seconds between two looks for a newer version, `None` for none.

    Attributes:
        limits: They.
        current: The model.
        metrics: What was counted.
        stopping: Whether no new request is to come.

    Raises:
        FileNotFoundError, ValueError, OSError: As `open_model`.
    """

    def __init__(
        self, path: Path, limits: Limits | None = None, *, poll: float | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.stopping = False
        self._admission = Admission(self.limits.queue)
        self.metrics = Metrics(self._version, lambda: self._admission.admitted)
        self._batcher = MicroBatcher(self.limits.batch, on_batch=self.metrics.on_batch)
        try:
            self.current = open_model(path, self._batcher, on_load=self.metrics.on_load)
        except BaseException:
            self._batcher.close()
            raise
        self._pool = concurrent.futures.ThreadPoolExecutor(
            min(_MOST_THREADS, self.limits.queue), thread_name_prefix="requests"
        )
        if poll is not None:
            self.current.watch(poll)

    async def answer(
        self,
        request: Request,
        work: Work,
        *,
        accepted: tuple[str, ...],
    ) -> Response:
        """Answers a request that has a body.

        Args:
            request: The request.
            work: What is to be done.
            accepted: Media types of its body.

        Raises:
            Refusal: When it is not answered.
        """
        self._admission.enter()
        try:
            body = await read_body(request, self.limits)
        except BaseException:
            self._admission.leave()
            raise
        content_type = request.headers.get("content-type", "")

        async def answer() -> tuple[str, int]:
            check_deadline()
            holds = parsed(body, content_type, accepted=accepted)
            found, number = await work(self.current.get(), holds, self.limits)
            return json_text(found, "an answer"), number

        small = len(body) <= _SMALL and not self.current.get().blocks
        text, number = await self._within(answer, small=small)
        endpoint = getattr(request.scope.get("route"), "path", "other")
        self.metrics.on_examples(endpoint, number)
        return Response(text, media_type="application/json")

    async def look(self, work: Callable[[Model], Any]) -> Response:
        """Answers a request without a body.

        Args:
            work: From the model to the answer, in a worker thread.

        Raises:
            Refusal: When it is not answered.
        """
        self._admission.enter()

        async def answer() -> str:
            return json_text(work(self.current.get()), "an answer")

        text = await self._within(answer, small=False)
        return Response(text, media_type="application/json")

    def check_ready(self) -> None:
        """Checks that requests are answered now.

        Raises:
            Refusal: 503, when they are not.
        """
        if self.stopping:
            raise busy("the server stops")
        try:
            self.current.get().check()
        except Exception as error:
            raise busy("the model cannot be read just now") from error

    def close(self) -> None:
        """Ends all threads, when the last request was answered."""
        self.stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._batcher.close()
        self.current.close()

    async def _within(
        self, work: Callable[[], Coroutine[Any, Any, Any]], *, small: bool
    ) -> Any:
        """The result of work, whose place among the admitted ends with the work.

        Who waited too long is told so, while the work goes on to where it looks at
        its time.
        """

        async def done() -> Any:
            try:
                set_deadline(self.limits.seconds)
                where = shared_loop if small else own_loop
                return await where(self._pool, work)
            finally:
                self._admission.leave()

        task = asyncio.create_task(done())
        task.add_done_callback(_looked_at)
        try:
            return await asyncio.wait_for(
                asyncio.shield(task), self.limits.seconds + 0.1
            )
        except asyncio.TimeoutError as error:
            raise out_of_time() from error
        except Exception as error:
            refusal = as_refusal(error)
            if refusal is error:
                raise
            if refusal.status == FAULT:
                logger.exception("a fault of the server")
            raise refusal from error

    def _version(self) -> tuple[str, str]:
        model = self.current.get()
        return model.name, model.version


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # Nobody may be waiting for it any more.
