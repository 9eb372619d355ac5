"""What the contestants of `maml_training.py` share: weights, batch, facts.

One inner step of 0.4 is the paper's setting for Omniglot, five of 0.01 that for
miniImageNet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from encoder_training import first_kernels
from interleaved import Measure, timed

WAYS, SHOTS, QUERIES = 5, 1, 15
FILTERS = 64
INNER_RATES = {1: 0.4, 5: 0.01}
LEARNING_RATE = 1e-3
# Adam's, which Keras and PyTorch have different defaults for.
EPSILON = 1e-7
BATCH_NORMALIZATION_EPSILON = 1e-3


def inner_rate(inner_steps: int) -> float:
    """Learning rate of the inner loop."""
    return INNER_RATES.get(inner_steps, 0.01)


def first_weights() -> list[np.ndarray]:
    """First weights in the order of the layers, as Keras shapes them.

    Of each block the kernel `(3, 3, channels, filters)`, scale and offset; of the
    head the kernel `(64, ways)` and the bias.
    """
    weights: list[np.ndarray] = []
    for kernel in first_kernels():
        weights += [kernel, np.ones(FILTERS, "f4"), np.zeros(FILTERS, "f4")]
    limit = np.sqrt(6 / (FILTERS + WAYS))
    head = np.random.default_rng(2).uniform(-limit, limit, (FILTERS, WAYS))
    return [*weights, head.astype("f4"), np.zeros(WAYS, "f4")]


def make_tasks(tasks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A batch of tasks whose pictures can be told apart.

    Returns:
        Uint8 support `(tasks, 5, 28, 28, 1)`, its labels `(5,)`, uint8 queries
        `(tasks, 75, 28, 28, 1)` and their labels `(75,)`: those of all tasks are
        the same.
    """
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 256, (tasks, WAYS, 1, 28, 28, 1))
    noise = rng.integers(0, 256, (tasks, WAYS, SHOTS + QUERIES, 28, 28, 1))
    pictures = ((classes + noise) // 2).astype(np.uint8)
    support, query = pictures[:, :, :SHOTS], pictures[:, :, SHOTS:]
    return (
        support.reshape(tasks, WAYS * SHOTS, 28, 28, 1),
        np.repeat(np.arange(WAYS), SHOTS),
        query.reshape(tasks, WAYS * QUERIES, 28, 28, 1),
        np.repeat(np.arange(WAYS), QUERIES),
    )


def operations_of_task(inner_steps: int) -> float:
    """Floating-point operations of one task of second-order MAML, by hand.

    Convolutions alone, a multiplication and an addition each, with every tap of
    the padding counted; normalization, pooling and head are below 2 %. A
    convolution of `c` operations takes

    - `c` forward, `c` for the gradient of its kernel and `c` for that of its input,
      which the first layer does not need;
    - and where the gradient is differentiated in turn, two each of these three:
      every one is linear in both of its inputs, and each needs a gradient. Those
      that lead to the pictures are not needed: of six, the first layer has two.

    A support picture is thus worth 9 `c` (first layer: 4) in each inner step, a
    query picture 3 `c` (first layer: 2).
    """
    side, channels, costs = 28, 1, []
    for _ in range(4):
        costs.append(2.0 * 3 * 3 * channels * FILTERS * side * side)
        side, channels = side // 2, FILTERS
    first, others = costs[0], sum(costs[1:])
    support = WAYS * SHOTS * (4 * first + 9 * others)
    query = WAYS * QUERIES * (2 * first + 3 * others)
    return inner_steps * support + query


def start_training(
    first_step: Callable[[], tuple[float, Sequence[np.ndarray]]],
    step: Callable[[], Any],
    *,
    tasks: int,
    versions: dict[str, str],
) -> tuple[Measure, dict[str, Any]]:
    """Takes two steps and returns what `Contestant.prepare` has to.

    Args:
        first_step: Returns the loss before it and the gradients of all weights in
            the order of `first_weights`, in any layout.
        step: A further step.
        tasks: Tasks of a step.
        versions: Of the libraries.
    """
    before = _restart_peak()
    begin = time.perf_counter()
    loss, gradients = first_step()
    seconds = time.perf_counter() - begin
    step()
    facts = {
        "first_loss": float(loss),
        "gradient_norms": [float(np.linalg.norm(np.ravel(g))) for g in gradients],
        "first_step_seconds": seconds,
        "added_memory_mib": None if before is None else _status("VmHWM") - before,
        "versions": versions,
    }
    return timed(step, tasks), facts


def _restart_peak() -> float | None:
    """MiB that this process holds, which its peak is set back to; None without."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes[name].split()[0]) / 1024
