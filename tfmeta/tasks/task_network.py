"""A small network of which every task has one of its own, all trained at once."""

from __future__ import annotations

import base64
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import check_finite
from tfmeta.seeds import spawn_seeds

# Of one layer after the other a matrix and a bias.
Parameters = tuple[tf.Tensor, ...]

# Networks that are trained at once: what they are made of fits into memory.
_AT_ONCE = 512


@keras.saving.register_keras_serializable(package="tfmeta")
@dataclasses.dataclass(frozen=True)
class TaskNetwork:
    """Layers of rectified units and a linear one, for tasks of the same kind.

    All tasks start from the same weights, so that theirs can be compared, one by one:
    of other starts the units would not correspond. They are random, but for the last
    layer, which starts with zeros, that no order of classes is written into, or
    learned, see `tfmeta.tasks.learned_starts`.

    Args:
        features: Numbers of an example.
        outputs: Classes, or numbers that are to be predicted.
        units: Of the hidden layers; none for a linear network.
        regression: Whether outputs are numbers, by their squared error, and not the
            logits of classes, by their cross-entropy.
        seed: Seed of the start.
        learned: A start that was learned, as `starting_at` makes it; `None` for a
            random one.

    Raises:
        ValueError: When `learned` is of other shapes.

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
    # Bytes of float32: networks are compared, and traced functions are found, by value.
    learned: bytes | None = None

    def __post_init__(self) -> None:
        size = sum(map(math.prod, self.shapes))
        if self.learned is not None and len(self.learned) != 4 * size:
            raise ValueError(
                f"`learned` must be {size} numbers of float32, as `starting_at` makes "
                f"them. Received: {len(self.learned)} bytes"
            )

    def starting_at(self, start: Sequence[np.ndarray | tf.Tensor]) -> TaskNetwork:
        """The same network with a start that was learned.

        Args:
            start: Of one task, each part of its shape in `shapes`.

        Raises:
            ValueError: When a shape is another, or a number is not finite.
        """
        parts = [np.asarray(part, "<f4") for part in start]
        if [part.shape for part in parts] != self.shapes:
            raise ValueError(
                f"`start` must be of shapes {self.shapes}. Received: "
                f"{[part.shape for part in parts]}"
            )
        for part in parts:
            check_finite("start", part)
        learned = b"".join(part.tobytes() for part in parts)
        return dataclasses.replace(self, learned=learned)

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
        if self.learned is not None:
            sizes = [math.prod(shape) for shape in self.shapes]
            values = np.frombuffer(self.learned, "<f4").astype(np.float32)
            return [
                part.reshape(shape)
                for part, shape in zip(
                    np.split(values, np.cumsum(sizes)[:-1]), self.shapes, strict=True
                )
            ]
        seeds = spawn_seeds(self.seed, len(self.units), stream="task_network")
        found = [np.zeros(shape, np.float32) for shape in self.shapes]
        for layer, seed in enumerate(seeds):
            inputs, outputs = self.shapes[2 * layer]
            rng = np.random.default_rng(seed)
            weights = rng.normal(0.0, np.sqrt(2 / inputs), (inputs, outputs))
            found[2 * layer] = weights.astype(np.float32)
        return found

    def started(
        self, tasks: int | tf.Tensor, dtype: tf.DType = tf.float32
    ) -> Parameters:
        """`start` for each of so many tasks."""
        return tuple(
            tf.tile(tf.constant(part, dtype)[tf.newaxis], [tasks] + [1] * part.ndim)
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
        tasks = len(rows)
        options = (
            tf.constant(steps, tf.int32),
            tf.constant(learning_rate, tf.float32),
            tf.constant(weight_decay, tf.float32),
        )
        start = self.started(tasks) if start is None else tuple(start)
        parts = []
        for first in range(0, max(tasks, 1), _AT_ONCE):
            several = slice(first, first + _AT_ONCE)
            own = tuple(tf.convert_to_tensor(part[several]) for part in start)
            given = (
                tf.constant(part[several], tf.float32)
                if isinstance(part, np.ndarray)
                else tf.cast(part[several], tf.float32)
                for part in (rows, wanted)
            )
            parts.append(_traced(self)(*given, own, *options))
        return tuple(tf.concat(part, axis=0) for part in zip(*parts, strict=True))

    def trained(
        self,
        rows: tf.Tensor,
        wanted: tf.Tensor,
        *,
        steps: int | tf.Tensor = 100,
        learning_rate: float | tf.Tensor = 0.01,
        weight_decay: float | tf.Tensor = 1e-4,
        start: Parameters | None = None,
    ) -> Parameters:
        """As `fit`, of float tensors and in a graph, all tasks at once."""
        wanted = tf.cast(wanted, rows.dtype)
        if start is None:
            start = self.started(tf.shape(rows)[0], rows.dtype)
        return _adam(self, rows, wanted, start, steps, learning_rate, weight_decay)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        learned = None
        if self.learned is not None:
            learned = base64.b64encode(self.learned).decode("ascii")
        return {
            **dataclasses.asdict(self),
            "units": list(self.units),
            "learned": learned,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TaskNetwork:
        """Makes one of its configuration."""
        learned = config.get("learned")
        if learned is not None:
            learned = base64.b64decode(learned, validate=True)
        return cls(**{**config, "units": tuple(config["units"]), "learned": learned})


@functools.lru_cache(maxsize=32)
def _traced(network: TaskNetwork) -> Callable[..., Parameters]:
    """Trains in one graph for any number of tasks and rows.

    One of its own for a shape would add in another order, and which of both were there
    would depend on what was trained before.
    """
    numbers = tf.TensorSpec([], tf.float32)
    signature = (
        tf.TensorSpec([None, None, network.features]),
        tf.TensorSpec([None, None, network.outputs]),
        tuple(tf.TensorSpec([None, *shape]) for shape in network.shapes),
        tf.TensorSpec([], tf.int32),
        numbers,
        numbers,
    )

    @tf.function(input_signature=signature)
    def trained(
        rows: tf.Tensor,
        wanted: tf.Tensor,
        start: Parameters,
        steps: tf.Tensor,
        learning_rate: tf.Tensor,
        weight_decay: tf.Tensor,
    ) -> Parameters:
        return network.trained(
            rows,
            wanted,
            start=start,
            steps=steps,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
        )

    traced: Callable[..., Parameters] = trained
    return traced


def _adam(
    network: TaskNetwork,
    rows: tf.Tensor,
    wanted: tf.Tensor,
    start: Parameters,
    steps: int | tf.Tensor,
    learning_rate: float | tf.Tensor,
    weight_decay: float | tf.Tensor,
) -> Parameters:
    """Parameters after so many steps of Adam."""
    learning_rate = tf.cast(learning_rate, rows.dtype)
    weight_decay = tf.cast(weight_decay, rows.dtype)

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
        after = tf.cast(number + 1, rows.dtype)
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
