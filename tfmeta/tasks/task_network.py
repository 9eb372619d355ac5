"""A small network of which every task has one of its own, all trained at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmeta.seeds import spawn_seeds

# Of one layer after the other a matrix and a bias.
Parameters = tuple[tf.Tensor, ...]

# Networks that are trained at once: what they are made of fits into memory.
_AT_ONCE = 512


@dataclasses.dataclass(frozen=True)
class TaskNetwork:
    """Layers of rectified units and a linear one, for tasks of the same kind.

    All tasks start from the same weights, so that theirs can be compared, one by one:
    of other starts the units would not correspond. The last layer starts with zeros,
    which no order of classes is written into.

    Args:
        features: Numbers of an example.
        outputs: Classes, or numbers that are to be predicted.
        units: Of the hidden layers; none for a linear network.
        regression: Whether outputs are numbers, by their squared error, and not the
            logits of classes, by their cross-entropy.
        seed: Seed of the start.

    Example:

    ```python
    network = tfmeta.tasks.TaskNetwork(features=64, outputs=5, units=(32,))
    parameters = network.fit(support, labels, steps=100)  # (tasks, rows, 64) and 5
    logits = network(parameters, query)
    ```
    """

    features: int
    outputs: int
    units: tuple[int, ...] = (32,)
    regression: bool = False
    seed: int = 0

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the parameters of one task."""
        sizes = (self.features, *self.units, self.outputs)
        shapes: list[tuple[int, ...]] = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
            shapes += [(inputs, outputs), (outputs,)]
        return shapes

    def start(self) -> list[np.ndarray]:
        """The weights that training begins with, float32, of one task."""
        seeds = spawn_seeds(self.seed, len(self.units), stream="task_network")
        found = [np.zeros(shape, np.float32) for shape in self.shapes]
        for layer, seed in enumerate(seeds):
            inputs, outputs = self.shapes[2 * layer]
            rng = np.random.default_rng(seed)
            weights = rng.normal(0.0, np.sqrt(2 / inputs), (inputs, outputs))
            found[2 * layer] = weights.astype(np.float32)
        return found

    def started(self, tasks: int) -> Parameters:
        """`start` for each of so many tasks."""
        return tuple(
            tf.tile(tf.constant(part)[tf.newaxis], [tasks] + [1] * part.ndim)
            for part in self.start()
        )

    def hidden(self, parameters: Sequence[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
        """What the last layer sees, `(tasks, rows, units)`."""
        for layer in range(len(self.units)):
            weights, bias = parameters[2 * layer : 2 * layer + 2]
            rows = tf.nn.relu(tf.matmul(rows, weights) + bias[:, tf.newaxis])
        return rows

    def __call__(self, parameters: Sequence[tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
        """Outputs of every task's own network.

        Args:
            parameters: As `fit` gives them, with a leading task axis.
            rows: `(tasks, rows, features)`.

        Returns:
            `(tasks, rows, outputs)`.
        """
        weights, bias = parameters[-2:]
        hidden = self.hidden(parameters, rows)
        return tf.matmul(hidden, weights) + bias[:, tf.newaxis]

    def losses(
        self, parameters: Sequence[tf.Tensor], rows: tf.Tensor, wanted: tf.Tensor
    ) -> tf.Tensor:
        """The mean loss of each task, `(tasks,)`.

        Args:
            parameters: As `fit` gives them.
            rows: `(tasks, rows, features)`.
            wanted: One-hot labels `(tasks, rows, outputs)`, 0 for padding; of
                regression numbers.
        """
        outputs = self(parameters, rows)
        if self.regression:
            return tf.reduce_mean((outputs - wanted) ** 2, axis=[1, 2])
        real = tf.reduce_sum(wanted, axis=-1)
        losses = -tf.reduce_sum(wanted * tf.nn.log_softmax(outputs), axis=-1)
        # Columns of classes that a task does not have are as much for all of them.
        return tf.reduce_sum(losses, axis=1) / tf.maximum(tf.reduce_sum(real, 1), 1.0)

    def fit(
        self,
        rows: np.ndarray | tf.Tensor,
        wanted: np.ndarray | tf.Tensor,
        *,
        steps: int = 100,
        learning_rate: float = 0.01,
        weight_decay: float = 1e-4,
        start: Sequence[tf.Tensor] | None = None,
    ) -> Parameters:
        """Trains a network for each task, with Adam on all of its rows.

        Args:
            rows: Float `(tasks, rows, features)`.
            wanted: See `losses`.
            steps: Of each network.
            learning_rate: Of Adam.
            weight_decay: What is taken of the squared weights' sum beside the loss.
            start: Where each begins, with a task axis; by default `started`.

        Returns:
            Parameters with a leading task axis.
        """
        rows = tf.cast(rows, tf.float32)
        wanted = tf.cast(wanted, tf.float32)
        tasks = int(rows.shape[0])
        start = self.started(tasks) if start is None else tuple(start)
        parts = []
        for first in range(0, tasks, _AT_ONCE):
            several = slice(first, first + _AT_ONCE)
            parts.append(
                _trained(
                    self,
                    rows[several],
                    wanted[several],
                    tuple(part[several] for part in start),
                    tf.constant(steps),
                    tf.constant(learning_rate, tf.float32),
                    tf.constant(weight_decay, tf.float32),
                )
            )
        return tuple(tf.concat(part, axis=0) for part in zip(*parts, strict=True))


@tf.function(reduce_retracing=True)
def _trained(
    network: TaskNetwork,
    rows: tf.Tensor,
    wanted: tf.Tensor,
    start: Parameters,
    steps: tf.Tensor,
    learning_rate: tf.Tensor,
    weight_decay: tf.Tensor,
) -> Parameters:
    """Parameters after so many steps of Adam."""

    def step(
        number: tf.Tensor, parameters: Parameters, first: Parameters, second: Parameters
    ) -> tuple[tf.Tensor, Parameters, Parameters, Parameters]:
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            # Tasks share no weight: the gradient of the sum is that of each.
            loss = tf.reduce_sum(network.losses(parameters, rows, wanted))
            loss += weight_decay * tf.add_n(
                [tf.reduce_sum(part**2) for part in parameters]
            )
        gradients = tape.gradient(loss, parameters)
        after = tf.cast(number + 1, tf.float32)
        first = tuple(0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True))
        second = tuple(
            0.999 * v + 0.001 * g**2 for v, g in zip(second, gradients, strict=True)
        )
        rate = learning_rate * tf.sqrt(1 - 0.999**after) / (1 - 0.9**after)
        parameters = tuple(
            part - rate * m / (tf.sqrt(v) + 1e-7)
            for part, m, v in zip(parameters, first, second, strict=True)
        )
        return number + 1, parameters, first, second

    nothing = tuple(tf.zeros_like(part) for part in start)
    _, parameters, _, _ = tf.while_loop(
        lambda number, *_: number < steps,
        step,
        (tf.constant(0), start, nothing, nothing),
        maximum_iterations=steps,
    )
    return parameters
