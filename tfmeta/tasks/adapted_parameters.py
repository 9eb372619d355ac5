"""Tasks described by the weights of a network that was trained on each."""

from __future__ import annotations

import dataclasses
import math

import keras
import tensorflow as tf

from tfmeta.tasks.description import Describer, Description, real_rows
from tfmeta.tasks.task_network import Parameters, TaskNetwork


@keras.saving.register_keras_serializable(package="tfmeta")
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

    @property
    def regression(self) -> bool:
        """Whether the network is one of regression."""
        return self.network.regression

    def tensors(self, rows: tf.Tensor, labels: tf.Tensor) -> Description:
        """See `Describer`; trains a network of every task."""
        return self.of_parameters(self.trained(rows, labels), labels)

    def trained(self, rows: tf.Tensor, labels: tf.Tensor) -> Parameters:
        """The networks of tasks, trained in the graph."""
        if not self.regression:
            rows, _ = real_rows(rows, labels)
        return self.network.trained(
            rows, labels, steps=self.steps, learning_rate=self.learning_rate
        )

    def of_parameters(self, parameters: Parameters, labels: tf.Tensor) -> Description:
        """The description of networks that were trained.

        Args:
            parameters: As `trained` gives them.
            labels: What they were trained on.
        """
        changes = [
            part - start
            for part, start in zip(parameters, self.network.start(), strict=True)
        ]
        tasks = tf.shape(changes[-1])[0]
        body = [
            tf.reshape(part, [tasks, math.prod(part.shape[1:])])
            for part in changes[:-2]
        ]
        # A column of the head and its bias, for each output.
        columns = tf.concat(
            [tf.transpose(changes[-2], [0, 2, 1]), changes[-1][:, :, tf.newaxis]],
            axis=2,
        )
        if self.regression:
            body.append(tf.reshape(columns, [tasks, math.prod(columns.shape[1:])]))
            return Description(
                tf.concat(body, axis=1),
                tf.zeros([tasks, 0, 0], columns.dtype),
                tf.zeros([tasks, 0], tf.bool),
            )
        present = tf.reduce_any(labels > 0, axis=1)
        columns = tf.where(
            present[:, :, tf.newaxis], columns, tf.zeros([], columns.dtype)
        )
        common = body or [tf.zeros([tasks, 0], columns.dtype)]
        return Description(tf.concat(common, axis=1), columns, present)
