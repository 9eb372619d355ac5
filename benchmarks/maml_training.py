"""Training tasks per second of second-order MAML, beside PyTorch and JAX.

Everyone trains Conv4 with a linear head with Adam on one batch of 5-way 1-shot
tasks with 15 queries that lies in memory, from the same first weights. Before the
clock starts, the first losses and the norms of the first meta-gradients must agree.
Beside the rate it shows the first step, memory that training adds, and which share
of the machine's rate of multiplying matrices tfmeta reaches.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from interleaved import Contestant, compete, spread
from maml_jax import jax_training
from maml_setting import QUERIES, SHOTS, WAYS, inner_rate, operations_of_task
from maml_tensorflow import matrix_multiplication, tensorflow_training
from maml_torch import torch_training
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result
from rich.console import Console
from rich.table import Table

NAME = "maml_training"
INNER_STEPS, TASKS = (1, 5), (4, 16, 32)
# Beyond these tasks a batch only the contestants in `LARGE` take part.
FEW_TASKS = 4
GOAL_LEARN2LEARN = {1: 1.7, 5: 1.9}
GOAL_FIRST_STEP = {1: 6.0, 5: 8.0}
GOAL_SHARE, GOAL_ANIL, GOAL_FIRST_ORDER = 0.85, 3.0, 1.5

OURS = "tfmeta"
OURS_FIRST_ORDER = "tfmeta, first order"
OURS_ANIL = "tfmeta, ANIL"
LEARN2LEARN = "learn2learn"
LEARN2LEARN_TUNED = "learn2learn, malloc tuned"
LOOP = "PyTorch, plain loop"
LOOP_TUNED = "PyTorch, plain loop, malloc tuned"
HIGHER = "higher"
TORCH_FUNC = "torch.func"
JAX = "JAX, tasks written out"
JAX_VMAP = "JAX, vmap"
PRODUCT = "one matrix product"
PRODUCTS = "a matrix product per thread"
ALL = (
    OURS,
    LEARN2LEARN,
    LEARN2LEARN_TUNED,
    LOOP,
    LOOP_TUNED,
    HIGHER,
    TORCH_FUNC,
    JAX,
    JAX_VMAP,
    OURS_FIRST_ORDER,
    OURS_ANIL,
    PRODUCT,
    PRODUCTS,
)
LARGE = (OURS, LEARN2LEARN, LOOP)
# What they compute differs, their rates are for comparison.
OTHER_GRADIENTS = (OURS_FIRST_ORDER, OURS_ANIL)
# glibc keeps what is freed instead of handing it back to the system, from where it
# would have to come again page by page.
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**26),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that only this benchmark has."""
    parser.add_argument(
        "--inner-steps",
        type=int,
        nargs="+",
        default=list(INNER_STEPS),
        help="steps of the inner loop",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        nargs="+",
        default=list(TASKS),
        help=f"tasks a batch; above {FEW_TASKS} of {', '.join(LARGE)} alone",
    )
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=ALL,
        default=list(ALL),
        metavar="NAME",
        help="who takes part",
    )


def contestants(tasks: int, inner_steps: int, names: list[str]) -> list[Contestant]:
    """Those of the names that take part at this many tasks."""
    size = {"tasks": tasks, "inner_steps": inner_steps}

    def tensorflow(kind: str) -> tuple[Callable, dict[str, Any]]:
        return tensorflow_training, {**size, "kind": kind}

    def torch(kind: str) -> tuple[Callable, dict[str, Any]]:
        return torch_training, {**size, "kind": kind}

    def jax(*, vectorized: bool) -> tuple[Callable, dict[str, Any]]:
        return jax_training, {**size, "vectorized": vectorized}

    def product(*, at_once: bool) -> tuple[Callable, dict[str, Any]]:
        return matrix_multiplication, {"inner_steps": inner_steps, "at_once": at_once}

    everyone = {
        OURS: tensorflow("second order"),
        LEARN2LEARN: torch("learn2learn"),
        LEARN2LEARN_TUNED: torch("learn2learn"),
        LOOP: torch("plain loop"),
        LOOP_TUNED: torch("plain loop"),
        HIGHER: torch("higher"),
        TORCH_FUNC: torch("torch.func"),
        JAX: jax(vectorized=False),
        JAX_VMAP: jax(vectorized=True),
        OURS_FIRST_ORDER: tensorflow("first order"),
        OURS_ANIL: tensorflow("ANIL"),
        PRODUCT: product(at_once=False),
        PRODUCTS: product(at_once=True),
    }
    return [
        Contestant(
            name,
            *everyone[name],
            environment=TUNED if name in (LEARN2LEARN_TUNED, LOOP_TUNED) else {},
        )
        for name in ALL
        if name in names and (tasks <= FEW_TASKS or name in LARGE)
    ]


def check_same_gradient(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when the first losses or meta-gradients do not agree.

    The norms of the gradients of all weights together must agree to 0.1 %, those of
    each weight to 0.5 % of the largest of them. First order has the same loss.
    """
    exact = {
        name: values
        for name, values in facts.items()
        if name not in OTHER_GRADIENTS and "first_loss" in values
    }
    if not exact:
        return
    first, expected = next(iter(exact.items()))
    same_loss = dict(exact)
    if OURS_FIRST_ORDER in facts:
        same_loss[OURS_FIRST_ORDER] = facts[OURS_FIRST_ORDER]
    for name, values in same_loss.items():
        if not np.isclose(values["first_loss"], expected["first_loss"], rtol=1e-3):
            raise ValueError(
                f"all contestants must start with the loss of {first}, "
                f"{expected['first_loss']:.6g}. Received: {name} with "
                f"{values['first_loss']:.6g}"
            )
    norms = np.array(expected["gradient_norms"])
    for name, values in exact.items():
        own = np.array(values["gradient_norms"])
        apart = np.abs(own - norms).max() / norms.max()
        total, own_total = np.linalg.norm(norms), np.linalg.norm(own)
        if not (np.isclose(own_total, total, rtol=1e-3) and apart < 5e-3):
            raise ValueError(
                f"all contestants must start with the meta-gradient of {first}, of "
                f"norm {total:.6g}. Received: {name} with {own_total:.6g}, and norms "
                f"of its weights that are {apart:.2g} of the largest apart"
            )


def ratio(group: dict[str, Any], name: str, other: str) -> dict[str, float] | None:
    """One contestant over another in each round; None where one was left out."""
    lines = line_of(group, name), line_of(group, other)
    if None in lines:
        return None
    own, theirs = (line["values"] for line in lines if line is not None)
    return spread([a / b for a, b in zip(own, theirs, strict=True)])


def share_of_peak(group: dict[str, Any]) -> dict[str, float] | None:
    """Operations per second of tfmeta over those of the faster matrix products."""
    ours = line_of(group, OURS)
    lines = [line_of(group, name) for name in (PRODUCT, PRODUCTS)]
    products = [line["values"] for line in lines if line is not None]
    if ours is None or not products:
        return None
    peaks = [max(values) for values in zip(*products, strict=True)]
    return spread([a / b for a, b in zip(ours["values"], peaks, strict=True)])


def goals_of(
    group: dict[str, Any], tasks: int, inner_steps: int
) -> list[dict[str, Any]]:
    """The goals that a group can meet."""
    inner = f"{inner_steps} inner step" + ("s" if inner_steps > 1 else "")
    setting = f"{inner}, {tasks} tasks"
    goals = [
        goal(
            f"{setting}: {OURS} over {LEARN2LEARN}",
            ratio(group, OURS, LEARN2LEARN),
            at_least=GOAL_LEARN2LEARN.get(inner_steps, 1.9),
        )
    ]
    if tasks > FEW_TASKS:
        return goals
    for name, bound in ((OURS_ANIL, GOAL_ANIL), (OURS_FIRST_ORDER, GOAL_FIRST_ORDER)):
        goals.append(
            goal(
                f"{setting}: {name} over {OURS}",
                ratio(group, name, OURS),
                at_least=bound,
            )
        )
    goals.append(
        goal(
            f"{setting}: {OURS}, share of the matrix product's rate",
            share_of_peak(group),
            at_least=GOAL_SHARE,
        )
    )
    ours = line_of(group, OURS)
    seconds = None if ours is None else spread([ours["facts"]["first_step_seconds"]])
    goals.append(
        goal(
            f"{setting}: seconds of the first step of {OURS} through fit",
            seconds,
            below=GOAL_FIRST_STEP.get(inner_steps, 8.0),
        )
    )
    return goals


def show_facts(group: dict[str, Any]) -> None:
    """Prints first step, added memory and operations per second."""
    table = Table(title="the same contestants", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in ("first step, s", "memory added, MiB", "GFLOP/s by hand count"):
        table.add_column(title, justify="right")
    for line in group["contestants"]:
        facts = line["facts"]
        cells = ["", ""]
        if "first_step_seconds" in facts:
            memory = facts["added_memory_mib"]
            cells = [
                f"{facts['first_step_seconds']:.2f}",
                "" if memory is None else f"{memory:.0f}",
            ]
        rate = ""
        if line["name"] not in OTHER_GRADIENTS:
            operations = operations_of_task(group["inner_steps"])
            rate = f"{line['value']['median'] * operations / 1e9:.1f}"
        table.add_row(line["name"], *cells, rate)
    Console(width=120).print(table)


def show_memory(groups: list[dict[str, Any]]) -> None:
    """Prints how much more memory the largest batch takes than the smallest."""
    for inner_steps in sorted({group["inner_steps"] for group in groups}):
        some = [group for group in groups if group["inner_steps"] == inner_steps]
        few, many = (pick(some, key=lambda g: g["tasks"]) for pick in (min, max))
        for name in LARGE:
            lines = [line_of(group, name) for group in (few, many)]
            if few is many or None in lines:
                continue
            small, large = (line["facts"]["added_memory_mib"] for line in lines if line)
            if small and large:
                print(
                    f"{name}, inner steps: {inner_steps}: memory added at "
                    f"{many['tasks']} tasks over {few['tasks']}: {large / small:.2f}"
                )


def main() -> None:
    """Measures all settings and writes the result."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=3, seconds=2.0, add=add_options
    )
    groups, goals = [], []
    for inner_steps in arguments.inner_steps:
        for tasks in arguments.tasks:
            group = compete(
                f"{WAYS}-way {SHOTS}-shot, {QUERIES} queries, tasks a batch: {tasks}, "
                f"inner steps: {inner_steps}, of {inner_rate(inner_steps):g}",
                "tasks/s",
                contestants(tasks, inner_steps, arguments.contestants),
                reference=LEARN2LEARN,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                threads=arguments.threads,
                check=check_same_gradient,
            )
            group |= {
                "inner_steps": inner_steps,
                "tasks": tasks,
                "operations_per_task": operations_of_task(inner_steps),
                "share_of_peak": share_of_peak(group),
            }
            show_group(group, step_times=True)
            show_facts(group)
            groups.append(group)
            goals += goals_of(group, tasks, inner_steps)
    show_memory(groups)
    show_goals(goals)
    write_result(NAME, arguments, groups, goals)


if __name__ == "__main__":
    main()
