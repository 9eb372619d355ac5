"""Where the time of a training step of second-order MAML goes, by kind of operation.

TensorFlow's profiler records every operation on the two threads that compute. Beside
it, the rate at which large matrices multiply, and what is reached in the convolutions
alone, whose operations are counted by hand (`operations_of_task`).
"""

from __future__ import annotations

import argparse
import collections
import tempfile
from pathlib import Path
from typing import Any

from interleaved import in_own_process
from maml_setting import operations_of_task
from maml_tensorflow import matrix_multiplication, tensorflow_training
from report import parse_arguments, write_result
from rich.console import Console
from rich.table import Table

NAME = "maml_profile"
TASKS = 4
CONVOLUTION = "convolutions and their gradients"
KINDS = {
    CONVOLUTION: ("Conv2D",),
    "batch normalization": ("FusedBatchNorm",),
    "maximum pooling": ("MaxPool",),
    "ReLU": ("Relu",),
}
OTHERS = "sums, products and all other operations"
EXECUTOR = "starting operations, allocating"
IDLE = "threads without work"
EXECUTOR_EVENT = "ExecutorState::Process"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that only this benchmark has."""
    parser.add_argument(
        "--inner-steps", type=int, nargs="+", default=[1, 5], help="of the inner loop"
    )


def kind_of(operation: str) -> str:
    """The heading under which an operation's time is shown."""
    for kind, parts in KINDS.items():
        if any(part in operation for part in parts):
            return kind
    return OTHERS


def profile(*, threads: int, inner_steps: int, seconds: float) -> dict[str, Any]:
    """Thread-seconds by kind of operation over some steps.

    Returns:
        `tasks`, `seconds` on the clock, `kinds` and `operations` with thread-seconds.
    """
    measure, _ = tensorflow_training(
        threads=threads, tasks=TASKS, inner_steps=inner_steps, kind="second order"
    )
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        # Level 3 is the one that names every operation.
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tf.profiler.experimental.Profile(folder, options):
            turn = measure(seconds)
        (path,) = Path(folder).rglob("*.xplane.pb")
        operations, executor, clock = _read(path)
    kinds: collections.Counter[str] = collections.Counter()
    for operation, spent in operations.items():
        kinds[kind_of(operation)] += spent
    kinds[EXECUTOR] = executor - sum(operations.values())
    kinds[IDLE] = threads * clock - executor
    return {
        "tasks": turn.items,
        "seconds": turn.seconds,
        "recorded_seconds": clock,
        "kinds": dict(kinds),
        "operations": dict(operations.most_common()),
    }


def _read(path: Path) -> tuple[collections.Counter[str], float, float]:
    """Seconds by type of operation, of the executor, and on the clock."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    plane = next(p for p in space.planes if p.name == "/host:CPU")
    names = {key: value.name for key, value in plane.event_metadata.items()}
    operations: collections.Counter[str] = collections.Counter()
    executor, begins, ends = 0, [], []
    for line in plane.lines:
        if not line.name.startswith("tf_Compute"):
            continue
        for event in line.events:
            name = names[event.metadata_id]
            begin = line.timestamp_ns * 1000 + event.offset_ps
            if name == EXECUTOR_EVENT:
                executor += event.duration_ps
                begins.append(begin)
                ends.append(begin + event.duration_ps)
            elif ":" in name and "::" not in name:
                operations[name.rpartition(":")[2]] += event.duration_ps
    seconds = collections.Counter(
        {operation: spent / 1e12 for operation, spent in operations.items()}
    )
    return seconds, executor / 1e12, (max(ends) - min(begins)) / 1e12


def rate_of_products(*, threads: int, seconds: float) -> float:
    """Operations per second of matrix products, the faster of two ways."""
    rates = []
    for at_once in (False, True):
        turn = in_own_process(
            _products, threads=threads, seconds=seconds, at_once=at_once
        )
        rates.append(turn.items / turn.seconds * operations_of_task(1))
    return max(rates)


def _products(*, threads: int, seconds: float, at_once: bool) -> Any:
    measure, _ = matrix_multiplication(threads=threads, inner_steps=1, at_once=at_once)
    measure(seconds)
    return measure(seconds)


def summarize(record: dict[str, Any], inner_steps: int, peak: float) -> dict[str, Any]:
    """Shares of a thread's time, and rates beside the peak."""
    total = sum(record["kinds"].values())
    operations = record["tasks"] * operations_of_task(inner_steps)
    # The recording begins with steps that the clock of the turn leaves out.
    operations *= record["recorded_seconds"] / record["seconds"]
    convolving = record["kinds"][CONVOLUTION] / total * record["recorded_seconds"]
    return {
        "name": f"second-order MAML, {TASKS} tasks, inner steps: {inner_steps}",
        "inner_steps": inner_steps,
        "shares": {k: spent / total for k, spent in record["kinds"].items()},
        "share_of_peak": operations / record["recorded_seconds"] / peak,
        "share_of_peak_while_convolving": operations / convolving / peak,
        "peak_gflops": peak / 1e9,
        "operations": record["operations"],
    }


def show(group: dict[str, Any]) -> None:
    """Prints the shares, and what is reached."""
    table = Table(title=group["name"], title_justify="left")
    table.add_column("")
    table.add_column("share of the threads' time", justify="right")
    for kind, share in sorted(group["shares"].items(), key=lambda item: -item[1]):
        table.add_row(kind, f"{share:.1%}")
    Console(width=100).print(table)
    print(
        f"{group['share_of_peak']:.0%} of the rate of matrix products "
        f"({group['peak_gflops']:.0f} GFLOP/s) over the whole step, "
        f"{group['share_of_peak_while_convolving']:.0%} while convolving"
    )


def main() -> None:
    """Records all settings and writes the result."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=1, seconds=2.0, add=add_options
    )
    groups = []
    for inner_steps in arguments.inner_steps:
        peak = rate_of_products(threads=arguments.threads, seconds=arguments.seconds)
        record = in_own_process(
            profile,
            threads=arguments.threads,
            inner_steps=inner_steps,
            seconds=arguments.seconds,
        )
        groups.append(summarize(record, inner_steps, peak))
        show(groups[-1])
    write_result(NAME, arguments, groups, [])


if __name__ == "__main__":
    main()
