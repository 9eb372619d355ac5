"""Fits a linear classifier on the support embeddings of each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfmeta.learners.class_sums import at_least_float32
from tfmeta.learners.inner_loop import run_inner_loop
from tfmeta.learners.inner_rules import (
    DecayWeights,
    Parameters,
    RunningMean,
    Scale,
    chain,
)

# Of PyTorch's SGD with `momentum=0.9, dampening=0.9`, which Chen et al. fit with.
_KEPT = 0.9


class RealSupport(NamedTuple):
    """The support set of each task, without what padding and half precision do.

    Attributes:
        embeddings: `(tasks, support, features)`, float32 or float64, 0 in rows of
            padding.
        labels: `(tasks, support, ways)`, one-hot, or that times the weight of a row;
            0 in rows of padding.
        present: `(tasks, ways)` bool, which ways have a real row.
    """

    embeddings: tf.Tensor
    labels: tf.Tensor
    present: tf.Tensor

    @classmethod
    def of(
        cls,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        support_mask: tf.Tensor | None,
    ) -> RealSupport:
        """From what `EmbeddingLearner.adapt_embeddings` is given."""
        embeddings = at_least_float32(tf.convert_to_tensor(embeddings))
        labels = tf.cast(support_labels, embeddings.dtype)
        if support_mask is not None:
            real = tf.convert_to_tensor(support_mask)[:, :, None]
            labels = tf.where(real, labels, 0)
            embeddings = tf.where(real, embeddings, 0)
        return cls(embeddings, labels, tf.reduce_any(labels > 0, axis=1))

    def centre_and_scale(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Weighted mean of the embeddings, and how long they are about it.

        Returns:
            `(tasks, 1, features)`; and `(tasks, 1, 1)`, 1 where they are all alike.
        """
        weights = tf.reduce_sum(self.labels, axis=2, keepdims=True)
        total = tf.reduce_sum(weights, axis=1, keepdims=True)
        share = weights / tf.where(total > 0, total, 1)
        centre = tf.matmul(share, self.embeddings, transpose_a=True)
        squares = share * tf.square(self.embeddings - centre)
        scale = tf.sqrt(tf.reduce_sum(squares, axis=[1, 2], keepdims=True))
        return centre, tf.where(scale > 0, scale, 1)

    def of_present(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits `(tasks, support, ways)` whose softmax is 0 for absent ways.

        The lowest finite number has probability 0 as well as `-inf`, and where no way
        is present it gives no NaN.
        """
        return tf.where(self.present[:, None, :], logits, logits.dtype.min)

    def residuals(self, logits: tf.Tensor) -> tf.Tensor:
        """Gradient of the sum of the cross-entropies of real rows, by their logits.

        Args:
            logits: `(tasks, support, ways)`.

        Returns:
            The same shape; 0 in rows of padding and for absent ways.
        """
        weight = tf.reduce_sum(self.labels, axis=2, keepdims=True)
        return tf.nn.softmax(self.of_present(logits)) * weight - self.labels

    def loss_by_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Gradient of the mean cross-entropy over real rows, as `residuals`."""
        count = tf.reduce_sum(self.labels, axis=[1, 2], keepdims=True)
        return self.residuals(logits) / tf.maximum(count, 1)


class WeightSpace(NamedTuple):
    """How the weights of all ways are written while a head is fitted.

    Attributes:
        products: From weights to their inner products with the support
            embeddings, `(tasks, support, ways)`.
        combine: From `(tasks, support, ways)` to the weights that are these
            multiples of the support embeddings.
        squares: From weights and their products to squared lengths,
            `(tasks, 1, ways)`.
    """

    products: Callable[[tf.Tensor], tf.Tensor]
    combine: Callable[[tf.Tensor], tf.Tensor]
    squares: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def primal_space(embeddings: tf.Tensor) -> WeightSpace:
    """Weights as they are, `(tasks, features, ways)`.

    Args:
        embeddings: `(tasks, support, features)`.
    """
    return WeightSpace(
        products=lambda weights: tf.matmul(embeddings, weights),
        combine=lambda multiples: tf.matmul(embeddings, multiples, transpose_a=True),
        squares=lambda weights, products: _sum_rows(tf.square(weights)),
    )


def fit_weights(
    embeddings: tf.Tensor, fit: Callable[[WeightSpace], Parameters]
) -> Parameters:
    """Fits weights in the smaller of two spaces.

    The gradient by the weights of a way is a sum of multiples of the support
    embeddings. What starts as such a sum stays one, so a head may as well be
    fitted in these multiples: a step then costs `support * support` instead of
    `2 * support * features`, the same in exact arithmetic. Conv4 has 1,600
    features on an 84 × 84 picture; a 5-way 1-shot task has 5 rows.

    Args:
        embeddings: `(tasks, support, features)`.
        fit: Returns two parameters, the weights, in a space, and one more number for
            each way.

    Returns:
        What `fit` does, with weights `(tasks, features, ways)`.
    """
    # A graph may be traced for any number of rows; XLA cannot differentiate a loop
    # inside of a condition, and few-shot tasks have few rows.
    rows, features = embeddings.shape[1:]
    primal = primal_space(embeddings)
    if rows is not None and features is not None and rows > 2 * features:
        return fit(primal)
    gram = tf.matmul(embeddings, embeddings, transpose_b=True)
    space = WeightSpace(
        products=lambda weights: tf.matmul(gram, weights),
        combine=tf.identity,
        squares=lambda weights, products: _sum_rows(weights * products),
    )
    multiples, others = fit(space)
    return [primal.combine(multiples), others]


def descend(
    start: Parameters,
    gradient: Callable[[Parameters], Parameters],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
) -> Parameters:
    """Gradient descent with a running mean of gradients, as PyTorch's SGD.

    Args:
        start: The parameters to start from.
        gradient: Gradient of the loss at parameters.
        steps: Number of steps.
        learning_rate: What the mean is multiplied by.
        weight_decay: What the parameters are multiplied by in their gradient.

    Returns:
        The parameters after the last step.
    """
    rule = chain(DecayWeights(weight_decay), RunningMean(_KEPT), Scale(-learning_rate))
    parameters, _ = run_inner_loop(
        lambda parameters, step: (gradient(parameters), {}), rule, start, steps=steps
    )
    return parameters


def _sum_rows(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=1, keepdims=True)
