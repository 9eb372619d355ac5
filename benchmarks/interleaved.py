"""Lets contestants take turns on one machine, each in a process of its own.

Two numbers measured at different times differ by what else the machine did
meanwhile. Here only one contestant computes at a time, the others wait for a
message, and a ratio is formed within each round, between neighbours in time.
TensorFlow and PyTorch never share a process: their thread pools would meet.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Part of a turn's time that runs before the clock starts. It brings back the
# caches that others have evicted and uses up what an input pipeline has
# prepared while it waited.
LEAD_IN = 0.25
# Between two turns, so that spinning threads and filling buffers come to rest.
PAUSE_SECONDS = 0.3


@dataclasses.dataclass(frozen=True)
class Turn:
    """What a contestant did in one turn.

    Attributes:
        items: Number of items (pictures, episodes, steps) it worked through, or
            its work in terms of such items.
        seconds: How long that took.
        median_ms: Median time of one step in milliseconds.
    """

    items: float
    seconds: float
    median_ms: float


Measure = Callable[[float], Turn]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One line of the table.

    Args:
        name: Its name in the table.
        prepare: A function at the top level of a module. Called once, in the
            contestant's own process, with `threads` and `arguments`; imports
            its libraries, warms up and returns `(measure, facts)`. `facts` is a
            dict of plain values: `"versions"` and whatever the benchmark
            compares before it starts. An ImportError leaves the contestant out
            of the table, with its reason.
        arguments: Keyword arguments for `prepare`.
        environment: Variables that its process starts with, beside this one's.
    """

    name: str
    prepare: Callable[..., tuple[Measure, dict[str, Any]]]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


def timed(step: Callable[[], Any], items: float) -> Measure:
    """The measure of a function that works through `items` in each call."""

    def measure(seconds: float) -> Turn:
        until = time.perf_counter() + LEAD_IN * seconds
        step()
        while time.perf_counter() < until:
            step()
        marks = [time.perf_counter()]
        while marks[-1] - marks[0] < seconds:
            step()
            marks.append(time.perf_counter())
        return turn_of(marks, items)

    return measure


def turn_of(marks: Sequence[float], items: float) -> Turn:
    """The turn whose steps, of `items` each, ended at these times."""
    steps = [b - a for a, b in zip(marks[:-1], marks[1:], strict=True)]
    if not steps:
        raise ValueError(
            "a turn must hold at least one whole step; give it more --seconds. "
            "Received: none"
        )
    return Turn(
        items * len(steps), marks[-1] - marks[0], 1000 * statistics.median(steps)
    )


def start_tensorflow(threads: int, *, intra_op: int | None = None) -> Any:
    """Imports TensorFlow, limited to `threads` threads.

    Args:
        threads: How many operations run at once, and in how many threads each.
        intra_op: In how many threads each runs, where it differs: learners with an
            inner loop are started with 1.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(intra_op or threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf


def start_torch(threads: int) -> Any:
    """Imports PyTorch, limited to `threads` threads."""
    import torch

    torch.set_num_threads(threads)
    return torch


def look_in(packages: str | None) -> None:
    """Imports from another environment, too: what is there goes before."""
    if packages is not None:
        sys.path.insert(0, packages)


def compete(
    name: str,
    unit: str,
    contestants: Sequence[Contestant],
    *,
    reference: str,
    rounds: int,
    seconds: float,
    threads: int,
    check: Callable[[dict[str, dict[str, Any]]], None] | None = None,
) -> dict[str, Any]:
    """Measures the contestants in turns: A, B, C, A, B, C, and so on.

    Args:
        name: Heading of the table.
        unit: What is counted, e.g. `"images/s"`.
        contestants: Who takes part.
        reference: Name of the contestant that ratios refer to.
        rounds: Number of rounds; one more before them is not counted.
        seconds: Length of a turn, without its lead-in.
        threads: Threads of every contestant.
        check: Called with the facts of each contestant before the first round;
            raises when they do not compute the same thing.

    Returns:
        A dict of plain values, as `summarize` gives it, with the facts.
    """
    workers: dict[str, _Worker] = {}
    facts: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    turns: dict[str, list[Turn]] = {}
    try:
        for contestant in contestants:
            worker = _Worker(
                contestant.name, _serve, (contestant, threads), contestant.environment
            )
            workers[contestant.name] = worker
            answer = worker.receive()
            if isinstance(answer, str):
                left_out[contestant.name] = answer
                workers.pop(contestant.name).close()
            else:
                facts[contestant.name] = answer
        if check is not None:
            check(facts)
        for number in range(rounds + 1):
            for worker in workers.values():
                time.sleep(PAUSE_SECONDS)
                worker.send(seconds)
                turn = worker.receive()
                if number > 0:
                    turns.setdefault(worker.name, []).append(turn)
    finally:
        for worker in workers.values():
            worker.close()
    group = summarize(
        name,
        unit,
        {n: [t.items / t.seconds for t in some] for n, some in turns.items()},
        reference=reference,
    )
    for line in group["contestants"]:
        own = turns[line["name"]]
        line["median_step_ms"] = statistics.median(turn.median_ms for turn in own)
        line["facts"] = facts[line["name"]]
    return {**group, "left_out": left_out}


def summarize(
    name: str, unit: str, values: dict[str, list[float]], *, reference: str
) -> dict[str, Any]:
    """What is measured by round, and its ratios to the reference in each round.

    Args:
        name: Heading of the table.
        unit: Unit of the values.
        values: Of each contestant, one value per round.
        reference: Name of the contestant that ratios refer to.

    Returns:
        A dict of plain values, as a result file holds it.
    """
    lines = []
    for contestant, own in values.items():
        line: dict[str, Any] = {"name": contestant, "value": spread(own)}
        if reference in values:
            pairs = zip(own, values[reference], strict=True)
            line["ratio"] = spread([a / b for a, b in pairs])
        lines.append({**line, "values": own})
    return {
        "name": name,
        "unit": unit,
        "reference": reference,
        "contestants": lines,
        "left_out": {},
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest value."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def in_own_process(function: Callable[..., Any], **arguments: Any) -> Any:
    """What `function` returns, called in a fresh process that then ends."""
    worker = _Worker(function.__name__, _call, (function, arguments))
    try:
        return worker.receive()
    finally:
        worker.close()


class _Failure:
    """A traceback on its way to the driver."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Worker:
    """A fresh process with a pipe to it.

    What it writes to stderr is shown only when it dies: TensorFlow's greetings
    would drown the tables.
    """

    def __init__(
        self,
        name: str,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._log = tempfile.NamedTemporaryFile(suffix=".log")  # noqa: SIM115
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(
            target=target, args=(far_end, self._log.name, *arguments), daemon=True
        )
        with _environment(environment or {}):
            self._process.start()
        far_end.close()

    def send(self, message: Any) -> None:
        self._pipe.send(message)

    def receive(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            log = Path(self._log.name).read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(
                f"the process of {self.name!r} ended without an answer:\n{log[-2000:]}"
            ) from None
        if isinstance(answer, _Failure):
            raise RuntimeError(f"{self.name!r} failed:\n{answer.text}")
        return answer

    def close(self) -> None:
        """Lets the process end by closing its pipe."""
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
        self._log.close()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets variables for processes that are started meanwhile.

    An allocator reads its own before the first line of Python runs.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _write_stderr_to(path: str) -> None:
    sys.stderr.flush()
    with open(path, "ab") as file:
        os.dup2(file.fileno(), 2)


def _serve(pipe: Connection, log: str, contestant: Contestant, threads: int) -> None:
    """A contestant's process: prepares, then measures once per message."""
    _write_stderr_to(log)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        measure, facts = contestant.prepare(threads=threads, **contestant.arguments)
    except ImportError as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    except Exception:
        pipe.send(_Failure(traceback.format_exc()))
        return
    pipe.send(facts)
    while True:
        try:
            seconds = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(measure(seconds))
        except Exception:
            pipe.send(_Failure(traceback.format_exc()))
            return


def _call(
    pipe: Connection,
    log: str,
    function: Callable[..., Any],
    arguments: dict[str, Any],
) -> None:
    _write_stderr_to(log)
    try:
        pipe.send(function(**arguments))
    except Exception:
        pipe.send(_Failure(traceback.format_exc()))
