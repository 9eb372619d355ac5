"""Tasks described by the weights of a network that was trained on each."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfmeta.tasks.description import Describer, Description, real_rows
from tfmeta.tasks.task_network import Parameters, TaskNetwork


@dataclasses.dataclass(frozen=True)
class AdaptedParameters(Describer):
    """What training changed: body weights, and a column of the head for each class.

    Args:
        network: What is trained on every task, from one start.
        steps: Of each.
        learning_rate: See `TaskNetwork.fit`.
    """

    network: TaskNetwork
    steps: int = 100
    learning_rate: float = 0.01

    def fit(self, rows: np.ndarray, labels: np.ndarray) -> Parameters:
        """Trains the networks of tasks."""
        if self.network.regression:
            rows = np.asarray(rows, np.float32)
        else:
            rows, _ = real_rows(rows, labels)
        return self.network.fit(
            rows, labels, steps=self.steps, learning_rate=self.learning_rate
        )

    def __call__(self, rows: np.ndarray, labels: np.ndarray) -> Description:
        """See `Describer`; trains a network of every task."""
        return self.describe(self.fit(rows, labels), labels)

    def describe(self, parameters: Parameters, labels: np.ndarray) -> Description:
        """The description of networks that were trained.

        Args:
            parameters: As `fit` gives them.
            labels: What they were trained on.
        """
        changes = [
            (tf.convert_to_tensor(part) - start).numpy()
            for part, start in zip(parameters, self.network.start(), strict=True)
        ]
        body = [part.reshape(len(part), -1) for part in changes[:-2]]
        # A column of the head and its bias, for each output.
        columns = np.concatenate(
            [changes[-2].transpose(0, 2, 1), changes[-1][:, :, np.newaxis]], axis=2
        )
        tasks = len(columns)
        if self.network.regression:
            body.append(columns.reshape(tasks, -1))
            nothing = np.zeros((tasks, 0, 0), np.float32)
            return Description(
                np.concatenate(body, axis=1), nothing, np.zeros((tasks, 0), bool)
            )
        present = np.asarray(labels).sum(axis=1) > 0
        columns = np.where(present[:, :, np.newaxis], columns, np.float32(0))
        common = body or [np.zeros((tasks, 0), np.float32)]
        return Description(np.concatenate(common, axis=1), columns, present)
