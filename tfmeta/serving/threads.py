"""Where requests are worked on: on the event loop, or in a thread of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from tfmeta.serving.refusals import busy

P = ParamSpec("P")
T = TypeVar("T")

# Of requests that are worked on where others wait, those that may not be held up.
_pool: contextvars.ContextVar[concurrent.futures.Executor | None] = (
    contextvars.ContextVar("pool", default=None)
)


async def shared_loop(
    pool: concurrent.futures.Executor, work: Callable[[], Coroutine[Any, Any, T]]
) -> T:
    """Does work on the loop of this thread, which others wait for, too.

    It saves two changes of thread, which cost more than a small request. What blocks,
    or computes for long, goes into a thread of the pool, by `blocking`.
    """
    _pool.set(pool)
    return await work()


async def own_loop(
    pool: concurrent.futures.Executor, work: Callable[[], Coroutine[Any, Any, T]]
) -> T:
    """Does work in a thread of the pool, from beginning to end."""
    return await _in(pool, lambda: asyncio.run(work()))


async def blocking(function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What a function gives, without holding up anybody else meanwhile."""
    pool = _pool.get()
    if pool is None:
        return function(*args, **options)

    def call() -> T:
        _pool.set(None)
        return function(*args, **options)

    return await _in(pool, call)


async def _in(pool: concurrent.futures.Executor, call: Callable[[], T]) -> T:
    context = contextvars.copy_context()
    try:
        future = asyncio.get_running_loop().run_in_executor(pool, context.run, call)
    except RuntimeError as error:  # The pool was shut down.
        raise busy("the server stops") from error
    return await future
