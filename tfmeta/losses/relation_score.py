"""The regression of relation scores."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import finite_or_nan, finite_rows, nan_unless


@keras.saving.register_keras_serializable(package="tfmeta")
class RelationScoreLoss(keras.losses.Loss):
    """Mean squared error of relation scores: 1 for the right way, 0 for the others.

    Sung, Yang, Zhang, Xiang, Torr and Hospedales (2018), *Learning to Compare:
    Relation Network for Few-Shot Learning*. A score is the sigmoid of a logit. A
    query's loss is the mean over the ways that are present; an absent way, whose
    logit is `-inf`, does not count. Any other logit that is not finite makes it NaN.

    Args:
        reduction: As for `keras.losses.Loss`. By default padded queries, of
            `sample_weight` 0, do not count.
        name: Name of the loss.
        dtype: As for `keras.losses.Loss`.

    Call arguments:
        y_true: `(..., queries)`, the right way of each query.
        y_pred: `(..., queries, ways)`, logits.

    Example:

    ```python
    RelationScoreLoss()([[0]], [[[0.0, 0.0, -np.inf]]])  # 0.25
    ```
    """

    def __init__(
        self,
        reduction: str = "mean_with_sample_weight",
        name: str = "relation_score_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of each query, `(..., queries)`."""
        present = tf.not_equal(y_pred, float("-inf"))
        # The sigmoid of infinity would be a score like any other.
        scores = tf.sigmoid(finite_or_nan(tf.where(present, y_pred, 0)))
        right = tf.one_hot(
            tf.cast(y_true, tf.int32), tf.shape(y_pred)[-1], dtype=scores.dtype
        )
        # A class number that is no number, no way, or a way without a support.
        answerable = tf.reduce_any(present & (right > 0), axis=-1)
        y_true = tf.convert_to_tensor(y_true)
        answerable &= finite_rows(y_true, y_true.shape.rank)
        errors = tf.where(present, tf.square(scores - right), 0)
        ways = tf.reduce_sum(tf.cast(present, scores.dtype), axis=-1)
        return nan_unless(
            answerable, tf.reduce_sum(errors, axis=-1) / tf.maximum(ways, 1)
        )
