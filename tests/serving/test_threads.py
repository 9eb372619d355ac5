"""What is small stays on the event loop; what blocks does not."""

import asyncio
import concurrent.futures
import threading

import pytest

from tfmeta.serving.deadline import seconds_left, set_deadline
from tfmeta.serving.refusals import Refusal
from tfmeta.serving.threads import blocking, own_loop, shared_loop


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(2) as made:
        yield made


async def where():
    """The thread of work, that of a call in it that blocks, and the time left there."""
    return (
        threading.get_ident(),
        await blocking(threading.get_ident),
        await blocking(seconds_left),
    )


def test_without_a_pool_nothing_changes_threads():
    own = threading.get_ident()
    assert asyncio.run(where()) == (own, own, None)


def test_work_on_the_shared_loop_leaves_it_where_it_blocks(pool):
    async def request():
        set_deadline(100)
        return await shared_loop(pool, where)

    here, other, left = asyncio.run(request())
    assert here == threading.get_ident() != other
    assert 99 < left <= 100


def test_what_blocks_inside_of_what_blocks_stays_where_it_is(pool):
    def inside():
        return asyncio.run(where())[:2]

    async def request():
        return await shared_loop(pool, lambda: blocking(inside))

    here, other = asyncio.run(request())
    assert here == other != threading.get_ident()


def test_others_are_answered_while_it_blocks(pool):
    entered, go_on = threading.Event(), threading.Event()

    def hold():
        entered.set()
        return go_on.wait(30)

    async def both():
        held = asyncio.create_task(shared_loop(pool, lambda: blocking(hold)))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        other = await shared_loop(pool, lambda: blocking(lambda: "answered"))
        go_on.set()
        return other, await held

    assert asyncio.run(both()) == ("answered", True)


def test_what_is_large_is_in_one_thread_from_beginning_to_end(pool):
    async def request():
        set_deadline(100)
        return await own_loop(pool, where)

    here, other, left = asyncio.run(request())
    assert here == other != threading.get_ident()
    assert 99 < left <= 100


@pytest.mark.parametrize(
    "request_of",
    [
        lambda pool: own_loop(pool, where),
        lambda pool: shared_loop(pool, where),
    ],
    ids=["own", "shared"],
)
def test_after_the_end_it_is_refused(pool, request_of):
    pool.shutdown()
    with pytest.raises(Refusal, match="the server stops") as refused:
        asyncio.run(request_of(pool))
    assert refused.value.status == 503
