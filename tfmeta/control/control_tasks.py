"""Batches of the numbers of tasks, those of training apart from those of a test."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfmeta.control.task_family import TaskFamily
from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.streams import as_step, check_seed, step_streams

Part = Literal["train", "validation", "test"]
# Numbers of the parts, half-open: no task of one is one of another.
PARTS = {
    "train": (2**40, 2**62),
    "validation": (2**39, 2**40),
    "test": (0, 2**39),
}


class ControlTasks(EpisodeSequence):
    """Batches of tasks of a family; batch `step` is a function of `(seed, step)`.

    Args:
        family: The tasks.
        tasks: Tasks of a batch.
        seed: Seed of the sequence.
        part: `"train"`, `"validation"` or `"test"`; they share no task, whatever the
            seeds.

    Raises:
        ValueError: When an argument is out of range; names it.

    Example:

    ```python
    tasks = tfmeta.control.ControlTasks(tfmeta.control.Navigation(), tasks=40)
    learner.fit(tasks, steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        family: TaskFamily,
        *,
        tasks: int = 40,
        seed: int = 0,
        part: Part = "train",
    ) -> None:
        self.family = family
        self.tasks = check_count("tasks", tasks, 1)
        self.seed = check_seed(seed)
        if part not in PARTS:
            raise ValueError(
                f"`part` must be one of {', '.join(PARTS)}. Received: part={part!r}"
            )
        self.part = part

    def batch(self, step: int | tf.Tensor) -> tuple[dict[str, tf.Tensor]]:
        """Batch `step`: `({"task_numbers": int64 (tasks,)},)`."""
        own, *_ = step_streams(self.seed, as_step(step), 1)
        low, high = PARTS[self.part]
        numbers = tf.random.stateless_uniform([self.tasks], own, low, high, tf.int64)
        return ({"task_numbers": numbers},)

    @property
    def origins(self) -> frozenset[str]:
        """None: environments have no classes."""
        return frozenset()

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, 0)`: environments have no classes."""
        return np.zeros((self.tasks, 0), np.int32)

    def describe(self) -> dict[str, Any]:
        """The settings that fix the tasks, as plain values."""
        return {
            "family": keras.saving.serialize_keras_object(self.family),
            "tasks": self.tasks,
            "seed": self.seed,
            "part": self.part,
        }
