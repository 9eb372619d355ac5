import asyncio
import threading

import numpy as np
import pytest
from running_server import wait_until

from tfmeta.serving import deadline
from tfmeta.serving.batching import MicroBatcher
from tfmeta.serving.refusals import Refusal


@pytest.fixture
def batches():
    return []


@pytest.fixture
def batcher(batches):
    made = MicroBatcher(8, on_batch=lambda rows, n: batches.append((rows, n)))
    yield made
    made.close()


def in_threads(*calls):
    """What each call gave or raised, all at one time."""
    found = [None] * len(calls)

    def work(place, call):
        try:
            found[place] = call()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=work, args=one) for one in enumerate(calls)]
    for thread in threads:
        thread.start()
    return threads, found


def doubled(rows):
    return {"y": 2 * rows["x"]}


class Gate:
    """A function that holds the first batch until others wait behind it."""

    def __init__(self, function):
        self.function, self.entered, self.open = (
            function,
            *(threading.Event() for _ in range(2)),
        )

    def __call__(self, rows):
        self.entered.set()
        assert self.open.wait(30)
        return self.function(rows)


def behind_a_gate(batcher, function, parts):
    """Answers to parts that came while the model worked on something else."""
    gate = Gate(doubled)
    first, _ = in_threads(lambda: batcher.call("gate", gate, {"x": np.zeros(1)}))
    assert gate.entered.wait(30)
    threads, found = in_threads(
        *(
            lambda part=part: batcher.call("one", function, {"x": part})
            for part in parts
        )
    )
    wait_until(lambda: len(batcher._waiting) == len(parts))
    gate.open.set()
    for thread in first + threads:
        thread.join()
    return found


def test_those_who_wait_go_together_and_get_their_own(batcher, batches):
    parts = [np.array([n, n + 0.5]) for n in range(4)]
    found = behind_a_gate(batcher, doubled, parts)
    assert [one["y"].tolist() for one in found] == [(2 * p).tolist() for p in parts]
    assert (8, 4) in batches


def test_a_batch_is_no_larger_than_it_may_be(batcher, batches):
    parts = [np.full(5, n) for n in range(3)]
    found = behind_a_gate(batcher, doubled, parts)
    assert [one["y"][0] for one in found] == [0, 2, 4]
    large = batcher.call("one", doubled, {"x": np.arange(20)})
    assert large["y"].tolist() == [2 * n for n in range(20)]
    assert max(rows for rows, _ in batches) <= 8


def test_one_that_fails_does_not_fail_others(batcher):
    def careful(rows):
        if (rows["x"] < 0).any():
            raise ValueError("negative")
        return doubled(rows)

    found = behind_a_gate(batcher, careful, [np.ones(1), -np.ones(1), np.zeros(2)])
    assert found[0]["y"].tolist() == [2]
    assert str(found[1]) == "negative"
    assert found[2]["y"].tolist() == [0, 0]


def test_other_shapes_and_owners_are_not_joined(batcher, batches):
    found = behind_a_gate(batcher, doubled, [np.ones((1, 2)), np.ones((1, 3))])
    assert [one["y"].shape for one in found] == [(1, 2), (1, 3)]
    assert all(requests == 1 for _, requests in batches)


def test_a_function_that_gives_another_number_of_rows_is_asked_for_each(batcher):
    def counted(rows):
        return {"y": np.array([len(rows["x"])])}

    found = behind_a_gate(batcher, counted, [np.ones(1), np.ones(2)])
    assert [one["y"].tolist() for one in found] == [[1], [2]]


def test_no_rows_are_answered_with_none(batcher):
    assert batcher.call("one", doubled, {"x": np.ones((0, 2))})["y"].shape == (0, 2)


def test_who_is_out_of_time_is_told_so_and_not_worked_on(batcher):
    asked = []

    def late():
        deadline.set_deadline(0.01)
        return batcher.call(
            "late", lambda rows: asked.append(rows) or rows, {"x": np.ones(1)}
        )

    gate = Gate(doubled)
    first, _ = in_threads(lambda: batcher.call("gate", gate, {"x": np.zeros(1)}))
    assert gate.entered.wait(30)
    threads, found = in_threads(late)
    threads[0].join()
    gate.open.set()
    first[0].join()
    assert isinstance(found[0], Refusal) and found[0].status == 503
    batcher.close()
    assert not asked


def test_an_event_loop_gets_the_same_answers(batcher, batches):
    gate = Gate(doubled)
    first, _ = in_threads(lambda: batcher.call("gate", gate, {"x": np.zeros(1)}))
    assert gate.entered.wait(30)

    def careful(rows):
        if (rows["x"] < 0).any():
            raise ValueError("negative")
        return doubled(rows)

    async def ask_all():
        asked = [
            asyncio.create_task(batcher.ask("one", careful, {"x": part}))
            for part in (np.ones(2), np.arange(20), -np.ones(1))
        ]
        await asyncio.sleep(0)
        gate.open.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    one, large, negative = asyncio.run(ask_all())
    first[0].join()
    assert one["y"].tolist() == [2, 2]
    assert large["y"].tolist() == [2 * n for n in range(20)]
    assert str(negative) == "negative"
    assert max(rows for rows, _ in batches) <= 8


def test_an_event_loop_is_told_that_the_time_is_over(batcher):
    gate = Gate(doubled)
    first, _ = in_threads(lambda: batcher.call("gate", gate, {"x": np.zeros(1)}))
    assert gate.entered.wait(30)

    async def late():
        deadline.set_deadline(0.01)
        return await batcher.ask("late", doubled, {"x": np.ones(1)})

    with pytest.raises(Refusal) as refused:
        asyncio.run(late())
    gate.open.set()
    first[0].join()
    assert refused.value.status == 503
