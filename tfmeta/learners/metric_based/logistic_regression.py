"""Logistic regression on the features of a frozen encoder."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import finite_rows, nan_unless
from tfmeta.learners.class_sums import only_present
from tfmeta.learners.each_query import State
from tfmeta.learners.metric_based.feature_head import FeatureHead
from tfmeta.learners.metric_based.feature_transform import Transform
from tfmeta.learners.metric_based.head_fitting import RealSupport
from tfmeta.learners.metric_based.logistic_fit import fit_logistic
from tfmeta.learners.metric_based.pretrained_learner import check_positive


@keras.saving.register_keras_serializable(package="tfmeta")
class LogisticRegression(FeatureHead):
    """Fits a regularised linear classifier on the features of a frozen encoder.

    Tian, Wang, Krishnan, Tenenbaum and Isola (2020), *Rethinking Few-Shot Image
    Classification: a Good Embedding Is All You Need?*: multinomial logistic
    regression on features of unit length. The minimum of

        ½ ‖W‖² + C Σ_i CE(W x_i + b, y_i)

    has no local rivals, so that the head is a function of the support alone: it is
    found in the graph to rounding, in float64, by Newton's method with conjugate
    gradients, in the span of the support where that is smaller than the features. The
    result is that of `sklearn.linear_model.LogisticRegression(C=C)`, for two classes
    as well, where scikit-learn fits one vector and penalises it by itself.

    Where the encoder is trained on episodes through the head, the gradient is that of
    the minimum (as of MetaOptNet, Lee 2019), without a memory of its steps.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors, as `tfmeta.encoders.pretrained` gives.
        transform: `"l2"`, `"centered_l2"` or `"none"`, as for `SimpleShot`.
        C: Inverse strength of the penalty, as of scikit-learn.
        base_mean: For `"centered_l2"` the mean of base classes, `(features,)`; or
            `fit_base_mean` finds it.
        prior_shots: How many shots the prior of a class weighs: it is an example of
            this weight.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, or when another argument is none of what it must be.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4((84, 84, 3))
    learner = tfmeta.learners.LogisticRegression(encoder)
    state = learner.adapt(support, support_labels)
    probabilities = tf.nn.softmax(learner.predict_query(state, query))
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        transform: Transform = "l2",
        *,
        C: float = 10.0,  # noqa: N803
        **kwargs: Any,
    ) -> None:
        self.C = check_positive("C", C)
        super().__init__(encoder, transform, **kwargs)

    def fit_features(
        self,
        features: tf.Tensor,
        support_labels: tf.Tensor,
        support_mask: tf.Tensor | None,
    ) -> State:
        """Weights `(tasks, features, ways)` of features about a centre, and bias."""
        support = RealSupport.of(
            tf.cast(features, tf.float64), support_labels, support_mask
        )
        # The bias takes up a shift of all features, the penalty a scale: without
        # either the fit is well-conditioned. A bias in float32 would lose what differs.
        centre, scale = map(tf.stop_gradient, support.centre_and_scale())
        support = support._replace(embeddings=(support.embeddings - centre) / scale)
        # Two vectors that are each other's opposite have half the penalty of their
        # difference.
        ways = tf.reduce_sum(tf.cast(support.present, tf.int32), axis=1)
        one = tf.ones_like(ways, tf.float64)
        strength = self.C * tf.where(ways == 2, 0.5 * one, one)
        strength = strength[:, None, None] * tf.square(scale)
        weights, bias = fit_logistic(support, strength)
        weights /= scale
        # Of what is not finite a fit would end where it began.
        sound = tf.reduce_all(finite_rows(support.embeddings, 2), axis=1)
        return {
            "weights": tf.cast(nan_unless(sound, weights), features.dtype),
            "bias": tf.cast(nan_unless(sound, bias[:, 0]), features.dtype),
            "centre": tf.cast(nan_unless(sound, centre[:, 0]), tf.float64),
            "present": support.present,
        }

    def compare_features(self, state: State, features: tf.Tensor) -> tf.Tensor:
        """Logits of the fitted head."""
        weights, centre = state["weights"], state["centre"][:, None, :]
        features = tf.cast(tf.cast(features, centre.dtype) - centre, weights.dtype)
        logits = tf.matmul(features, weights)
        return only_present(logits + state["bias"][:, None, :], state["present"])

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "C": self.C}
