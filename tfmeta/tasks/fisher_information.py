"""Tasks described by which weights of one network matter for them."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tfmeta.tasks.description import Describer, Description, real_rows
from tfmeta.tasks.task_network import TaskNetwork


@keras.saving.register_keras_serializable(package="tfmeta")
@dataclasses.dataclass(frozen=True)
class FisherInformation(Describer):
    """The diagonal Fisher information of a probe network's hidden units.

    Achille et al. (2019), *Task2Vec: Task Embedding for Meta-Learning*: a probe, the
    same for all tasks, gets a head for each, and the Fisher information of the probe's
    weights on the task's examples says which of them the task depends on,

    ```
    F = E_x E_{y ~ p(y | x)} [ (d log p(y | x) / d w)^2 ]
    ```

    with labels by what the network answers, not those of the task, and the squares of
    each example's own gradient. The expectation over labels is taken exactly, over all
    classes, where the paper samples. Weights of one unit are averaged, as of one filter
    there. The head is no part of it, so that names of classes are none.

    The probe here is one hidden layer on features: the random projection that a
    `TaskNetwork` starts with.

    Args:
        network: The probe and its head, of one hidden layer.
        steps: Of the head's training.
        learning_rate: See `TaskNetwork.fit`.

    Raises:
        ValueError: When the network is not of one hidden layer, or is of regression.

    Reference:
        Alessandro Achille, Michael Lam, Rahul Tewari, Avinash Ravichandran, Subhransu
        Maji, Charless Fowlkes, Stefano Soatto and Pietro Perona, 2019, Task2Vec.
    """

    network: TaskNetwork
    steps: int = 100
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        if len(self.network.units) != 1 or self.network.regression:
            raise ValueError(
                "`network` must be of one hidden layer and classify. Received: "
                f"units={self.network.units}, regression={self.network.regression}"
            )

    def tensors(self, rows: tf.Tensor, labels: tf.Tensor) -> Description:
        """See `Describer`; `common` is of every unit of the probe, at least 0."""
        rows, real = real_rows(rows, labels)
        weights, bias = (tf.cast(part, rows.dtype) for part in self.network.start()[:2])
        hidden = tf.nn.relu(tf.matmul(rows, weights) + bias)
        head = TaskNetwork(self.network.units[0], self.network.outputs, units=())
        of_head = head.trained(
            hidden, labels, steps=self.steps, learning_rate=self.learning_rate
        )
        present = tf.reduce_any(labels > 0, axis=1)
        found = _of_units(rows, hidden, real, present, *of_head)
        tasks = tf.shape(found)[0]
        return Description(
            found, tf.zeros([tasks, 0, 0], found.dtype), tf.zeros([tasks, 0], tf.bool)
        )


def _of_units(
    rows: tf.Tensor,
    hidden: tf.Tensor,
    real: tf.Tensor,
    present: tf.Tensor,
    weights: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """The Fisher information of each unit's incoming weights and bias, their mean.

    The gradient of `log p(y)` by the weights of unit `j` is `x` times `active_j (V_jy -
    sum_c p_c V_jc)`, where `V` is the head: a product, whose square is that of both.
    """
    logits = tf.matmul(hidden, weights) + bias[:, tf.newaxis]
    never = tf.constant(float("-inf"), logits.dtype)
    answers = tf.nn.softmax(tf.where(present[:, tf.newaxis], logits, never))
    head = tf.where(present[:, tf.newaxis], weights, tf.zeros([], weights.dtype))
    # Of the distribution of V_jy over y, its variance.
    squares = tf.matmul(answers, head**2, transpose_b=True)
    means = tf.matmul(answers, head, transpose_b=True)
    active = tf.cast(hidden > 0, logits.dtype)
    of_rows = active * tf.maximum(squares - means**2, 0.0)
    inputs = tf.reduce_sum(rows**2, axis=-1) + 1.0  # That of the bias is 1.
    size = tf.cast(tf.shape(rows)[-1] + 1, logits.dtype)
    sums = tf.matmul((real * inputs / size)[:, tf.newaxis], of_rows)[:, 0]
    return sums / tf.maximum(tf.reduce_sum(real, axis=1, keepdims=True), 1.0)


def fisher_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The symmetric distance of Task2Vec, `(first, second)`.

    `1 - cos(a / (a + b), b / (a + b))`, coordinate by coordinate: a coordinate that is
    large for all tasks says no more than others.

    Args:
        first: Fisher information of tasks, at least 0, `(first, units)`.
        second: Likewise.
    """
    found = np.empty((len(first), len(second)))
    for number, one in enumerate(np.asarray(first, np.float64)):
        total = one + second
        # Where both are 0 they do not differ.
        share = np.divide(one, total, out=np.full_like(total, 0.5), where=total > 0)
        other = 1 - share
        norms = np.linalg.norm(share, axis=1) * np.linalg.norm(other, axis=1)
        products = (share * other).sum(axis=1)
        cosines = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
        found[number] = 1 - cosines
    return found
