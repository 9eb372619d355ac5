"""SimpleShot: the nearest class mean of transformed features."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.learners.class_sums import (
    at_least_float32,
    class_means,
    only_present,
    real_labels,
)
from tfmeta.learners.class_vectors import ClassVectors
from tfmeta.learners.each_query import State
from tfmeta.learners.metric_based.feature_head import FeatureHead
from tfmeta.learners.metric_based.feature_transform import Transform
from tfmeta.learners.metric_based.pretrained_learner import check_positive

# Nearly the least cross-entropy, summed over nine settings: 5-way 1-shot, 5-way 5-shot
# and 16 to 20-way 10-shot (300 episodes each) of miniImageNet's validation classes, by
# EfficientNet-Lite0 at 128 and 224 pixels, and of CLINC150's validation texts, by
# WordLlama. The best one alone was from 0.03 to 0.1 for squared distances.
_UNIT_TEMPERATURES: dict[type[distances.Distance], float] = {
    distances.SquaredEuclidean: 0.06,
    distances.Euclidean: 0.03,
    distances.Cosine: 0.03,
}


@keras.saving.register_keras_serializable(package="tfmeta")
class SimpleShot(FeatureHead):
    """Classifies by the nearest class mean of the features of a frozen encoder.

    Wang, Chao, Weinberger and van der Maaten (2019), *SimpleShot: Revisiting
    Nearest-Neighbor Classification for Few-Shot Learning*. Features are brought to
    unit length (L2N), also about the mean of base classes (CL2N), or left as they are
    (UN); a class is the mean of its features, and a query is of the nearest class.
    There is nothing to train: with an encoder that others trained, ten examples a
    class are enough for an answer.

    Centring takes a mean that was stored, of classes other than the task's. By the
    mean of the support itself one shot a class loses some points in accuracy, and
    the answer depends on what else is asked about; it is not offered.

    With `distance="cosine"` it is the cosine classifier on class means.

    Logits are negative distances, or cosines, divided by the temperature. Squared
    distances of unit vectors lie in [0, 4], those that matter within some tenths of
    each other: a softmax of them at temperature 1 is nearly uniform, whatever the
    answer. The default for unit vectors makes probabilities of about the right size
    with encoders of pictures and of texts; the answer itself does not depend on it.

    A class may have a `prior`, a description that the same encoder embeds, as the
    name of a class of texts. With `k = prior_shots` and `n` shots

        prototype = (k · prior + Σ shots) / (k + n)

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors, as `tfmeta.encoders.pretrained` gives.
        transform: `"l2"` (L2N), `"centered_l2"` (CL2N) or `"none"` (UN).
        distance: `"squared_euclidean"`, `"euclidean"`, `"cosine"` or a
            `tfmeta.distances.Distance`.
        temperature: What distances, or cosines, are divided by; by default 0.06 for
            squared distances of unit vectors, 0.03 for distances of them and for
            cosines, and 1 for others, whose scale is the encoder's.
        base_mean: For `"centered_l2"` the mean of base classes, `(features,)`; or
            `fit_base_mean` finds it.
        prior_shots: How many shots the prior of a class weighs.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, or when another argument is none of what it must be.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4((84, 84, 3))
    learner = tfmeta.learners.SimpleShot(encoder)
    state = learner.adapt(support, support_labels)
    probabilities = tf.nn.softmax(learner.predict_query(state, query))
    ```
    """

    independent_classes = True

    def __init__(
        self,
        encoder: keras.Model,
        transform: Transform = "l2",
        *,
        distance: str | distances.Distance = "squared_euclidean",
        temperature: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.distance = distances.get(distance)
        self.temperature = (
            None if temperature is None else check_positive("temperature", temperature)
        )
        super().__init__(encoder, transform, **kwargs)

    def fit_features(
        self,
        features: tf.Tensor,
        support_labels: tf.Tensor,
        support_mask: tf.Tensor | None,
    ) -> State:
        """Prototypes `(tasks, ways, features)`, and which ways are present."""
        labels = real_labels(support_labels, support_mask, features.dtype)
        prototypes, weights = class_means(features, labels)
        return {"prototypes": prototypes, "present": weights > 0}

    def compare_features(self, state: State, features: tf.Tensor) -> tf.Tensor:
        """Similarity of each query to each prototype, by the temperature."""
        features = tf.cast(features, state["prototypes"].dtype)
        logits = self.distance.similarity(features, state["prototypes"])
        return only_present(logits / self._used_temperature(), state["present"])

    def class_vectors(self) -> ClassVectors:
        """Of each class its prototype, of a query its features."""
        return ClassVectors(
            self.distance,
            "prototypes",
            lambda embeddings: self.feature_transform(at_least_float32(embeddings)),
            self._used_temperature(),
        )

    def _used_temperature(self) -> float:
        if self.temperature is not None:
            return self.temperature
        # A cosine has the same scale whatever its vectors' lengths.
        if self.transform == "none" and not isinstance(self.distance, distances.Cosine):
            return 1.0
        return _UNIT_TEMPERATURES.get(type(self.distance), 1.0)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "distance": keras.saving.serialize_keras_object(self.distance),
            "temperature": self.temperature,
        }
