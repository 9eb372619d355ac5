"""All that an inner loop is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import tensorflow as tf

from tfmeta.learners.inner_rules import InnerRule
from tfmeta.learners.optimization_based.support import Choose
from tfmeta.learners.optimization_based.task_network import Statistics, TaskNetwork


@dataclasses.dataclass(frozen=True)
class InnerLoopSettings:
    """How tasks are learned: the one thing that the engine knows of a learner.

    Attributes:
        network: Encoder and head as functions of what is adapted.
        rule: The inner rule.
        task: `"classification"` or `"regression"`.
        head: `"linear"`, or `"prototypes"`, made by every task.
        ways: Outputs of a linear head.
        steps: Inner steps in training.
        test_steps: Inner steps otherwise.
        first_order: Whether gradients of the inner loop are constants, unless a phase
            of training says otherwise.
        statistics: Which statistics normalize.
        rematerialize: Whether training computes inner steps once more.
        vectorize_tasks: Whether every operation is one for all tasks.
        choose_support: Of a task's seed, int32 `(2,)`, or `None` outside of training:
            what its inner steps learn from.
    """

    network: TaskNetwork
    rule: InnerRule
    task: str
    head: Literal["linear", "prototypes"]
    ways: int | None
    steps: int
    test_steps: int
    first_order: bool
    statistics: Statistics
    rematerialize: bool
    vectorize_tasks: bool | Literal["auto"]
    choose_support: Callable[[tf.Tensor | None], Choose]
