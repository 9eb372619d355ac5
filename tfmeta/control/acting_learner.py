"""What all learners share that act: their batches, and what an environment refuses."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.environment_errors import environment_errors
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.learners.base import FewShotLearner


class ActingLearner(FewShotLearner):
    """A learner that draws its own support: it acts, in tasks that are environments.

    A batch is `({"task_numbers": int64 (tasks,)},)`, as `ControlTasks` gives it. The
    objective is the learner's own, which metrics named `loss` and `return_after`
    follow.

    Attributes:
        family: The tasks.
    """

    task = "control"
    labelled_support = False
    encoder_arguments = ()
    family: TaskFamily

    def returns_by_update(
        self,
        tasks: TaskParameters,
        seed: tf.Tensor,
        *,
        updates: int,
        trajectories: int,
        learning_rates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean returns before and after updates, `(updates + 1, tasks)`.

        Args:
            tasks: Of `family.tasks`.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.
            updates: How many.
            trajectories: Of each task, for each update and each figure.
            learning_rates: Of each update, `None` for the learner's own.
        """
        raise NotImplementedError

    @functools.wraps(keras.Model.fit)
    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        with environment_errors():
            return super().fit(*args, **kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        with environment_errors():
            return super().evaluate(*args, **kwargs)

    def check_inputs(self, inputs: Any) -> None:
        """Refuses what does not hold numbers of tasks.

        Raises:
            TypeError: When it is no dict.
            ValueError: When they are missing, or of another form.
        """
        if not isinstance(inputs, Mapping):
            raise TypeError(
                '`inputs` must be a dict of "task_numbers", as ControlTasks gives it. '
                f"Received: a {type(inputs).__name__}"
            )
        numbers = inputs.get("task_numbers")
        shape, dtype = getattr(numbers, "shape", None), getattr(numbers, "dtype", None)
        if shape is None or len(shape) != 1 or not tf.as_dtype(dtype).is_integer:
            received = ", ".join(inputs) if numbers is None else f"{dtype} {shape}"
            raise ValueError(
                '`inputs["task_numbers"]` must be int64 of shape (tasks,). Received: '
                f"{received}"
            )

    def default_loss(self) -> None:
        """None: the objective is the learner's own."""

    def default_metrics(self) -> list[str]:
        """None but the learner's own."""
        return []
