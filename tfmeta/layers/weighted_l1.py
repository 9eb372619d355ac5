"""How alike two embeddings are, by a learned weight of each feature's difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.empty_batch import apply_to_rows
from tfmeta.pairs_at_once import are_pairs_at_once


@keras.saving.register_keras_serializable(package="tfmeta")
class WeightedL1(keras.layers.Layer):
    """`bias + Σ_j α_j |a_j − b_j|` of every row of one set with every row of another.

    The last layer of Koch, Zemel and Salakhutdinov (2015), *Siamese Neural Networks
    for One-shot Image Recognition*: its sigmoid is the probability that two
    embeddings are of one class. Larger is more alike.

    It begins as a distance that weighs all features alike, `2 − 4 m` of the mean
    absolute difference `m`, so that pairs differing by one half on average count as
    undecided. The paper begins with random weights; but then signs have to be
    unlearned first, and without the 2, embeddings of the usual scale begin as unlike
    every other and take hundreds of steps to recover.

    A difference of each feature for each pair would take `features` times the
    memory of the result. They are made for one row at a time, and once more for
    the gradient.

    Example:

    ```python
    head = WeightedL1()
    head((tf.zeros((2, 3, 64)), tf.ones((2, 5, 64)))).shape  # (2, 3, 5)
    ```
    """

    def build(self, input_shape: Any) -> None:
        """Makes the weights for `((..., n, features), (..., m, features))`."""
        features = input_shape[0][-1]
        self.alpha = self.add_weight(
            shape=(features,),
            initializer=keras.initializers.Constant(-4.0 / features),
            name="alpha",
        )
        self.bias = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(2.0), name="bias"
        )
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Scores of all pairs.

        Args:
            inputs: `(..., n, features)` and `(..., m, features)` of one float dtype
                and one number of axes.

        Returns:
            `(..., n, m)`.
        """
        first, second = inputs
        alpha = tf.cast(self.alpha, first.dtype)
        bias = tf.cast(self.bias, first.dtype)
        if are_pairs_at_once():
            gaps = tf.expand_dims(first, axis=-2) - tf.expand_dims(second, axis=-3)
            return bias + tf.reduce_sum(alpha * tf.abs(gaps), axis=-1)
        return bias + _weighted_l1(first, second, alpha)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """`(..., n, m)`."""
        first, second = input_shape
        return (*first[:-1], second[-2])


@tf.custom_gradient
def _weighted_l1(
    first: tf.Tensor, second: tf.Tensor, alpha: tf.Tensor
) -> tuple[tf.Tensor, Callable]:
    rows = _rows_first(first)

    def scores(row: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(tf.abs(row[..., None, :] - second), alpha)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        count = tf.shape(rows)[0]
        upstreams = _rows_first(upstream)
        axes = list(range(second.shape.rank - 1))
        kept = tf.TensorArray(rows.dtype, count, element_shape=rows.shape[1:])

        def add_row(i: tf.Tensor, kept: Any, of_second: Any, of_alpha: Any) -> tuple:
            difference = rows[i][..., None, :] - second
            # The slope of the absolute value at 0 is taken as 0.
            signed = upstreams[i][..., None] * tf.sign(difference)
            return (
                i + 1,
                kept.write(i, tf.reduce_sum(signed, axis=-2)),
                of_second - signed,
                of_alpha + tf.reduce_sum(signed * difference, axis=axes),
            )

        _, kept, of_second, of_alpha = tf.while_loop(
            lambda i, *_: i < count,
            add_row,
            (0, kept, tf.zeros_like(second), tf.zeros_like(alpha)),
            maximum_iterations=count,
        )
        of_first = _rows_back(kept.stack())
        return of_first * alpha, of_second * alpha, of_alpha

    found = apply_to_rows(lambda some, _: tf.map_fn(scores, some), rows)
    return _rows_back(found), gradient


def _rows_first(values: tf.Tensor) -> tf.Tensor:
    """`(..., rows, k)` as `(rows, ..., k)`."""
    rank = values.shape.rank
    return tf.transpose(values, [rank - 2, *range(rank - 2), rank - 1])


def _rows_back(values: tf.Tensor) -> tf.Tensor:
    """The inverse of `_rows_first`."""
    rank = values.shape.rank
    return tf.transpose(values, [*range(1, rank - 1), 0, rank - 1])
