"""Regression of sine waves, the classical toy of few-shot learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.streams import as_step, check_seed, step_streams


class Sinusoids(EpisodeSequence):
    """Tasks of regression: `y = amplitude * sin(x - phase)`.

    Finn, Abbeel and Levine (2017), *Model-Agnostic Meta-Learning for Fast Adaptation
    of Deep Networks*, section 5.1: amplitudes in [0.1, 5], phases in [0, pi], inputs
    in [-5, 5], all uniform. Batch `step` is a function of `(seed, step)`.

    Args:
        shots: Support points of a task.
        queries: Query points of a task.
        tasks: Tasks of a batch.
        seed: Seed of the sequence.

    Raises:
        ValueError: When an argument is out of range; names it.

    Example:

    ```python
    episodes = tfmeta.episodes.Sinusoids(shots=10, tasks=25)
    learner = tfmeta.learners.MAML(
        tfmeta.encoders.MLP((1,)), 1, task="regression", inner_learning_rate=0.01
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    ```
    """

    amplitudes = (0.1, 5.0)
    phases = (0.0, float(np.pi))
    inputs = (-5.0, 5.0)

    def __init__(
        self, *, shots: int = 10, queries: int = 10, tasks: int = 25, seed: int = 0
    ) -> None:
        self.shots = check_count("shots", shots, 1)
        self.queries = check_count("queries", queries, 1)
        self.tasks = check_count("tasks", tasks, 1)
        self.seed = check_seed(seed)

    @property
    def origins(self) -> frozenset[str]:
        """None: waves have no classes."""
        return frozenset()

    def describe(self) -> dict[str, Any]:
        """The settings that fix the tasks."""
        return {"shots": self.shots, "queries": self.queries, "seed": self.seed}

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, 0)`: waves have no classes."""
        return np.zeros((self.tasks, 0), np.int32)

    def waves(self, step: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Amplitudes and phases of batch `step`, `(tasks,)` each."""
        amplitude, phase, _ = step_streams(self.seed, as_step(step), 3)
        return (
            _uniform([self.tasks], amplitude, self.amplitudes),
            _uniform([self.tasks], phase, self.phases),
        )

    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step`.

        Returns:
            `(inputs, y)`: `inputs["support"]` `(tasks, shots, 1)`,
            `inputs["support_labels"]` `(tasks, shots, 1)`, the heights there,
            `inputs["query"]` `(tasks, queries, 1)` and `y` `(tasks, queries, 1)`, all
            float32.
        """
        step = as_step(step)
        amplitude, phase = (part[:, None, None] for part in self.waves(step))
        *_, places = step_streams(self.seed, step, 3)
        x = _uniform([self.tasks, self.shots + self.queries, 1], places, self.inputs)
        y = amplitude * tf.sin(x - phase)
        support, query = x[:, : self.shots], x[:, self.shots :]
        inputs = {"support": support, "support_labels": y[:, : self.shots]}
        return {**inputs, "query": query}, y[:, self.shots :]


def _uniform(shape: list[int], seed: tf.Tensor, ends: tuple[float, float]) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, *ends)
