"""Baseline++: a cosine classifier on an encoder trained the ordinary way."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers import CosineDense
from tfmeta.layers.sphere import unit_vectors
from tfmeta.learners.class_sums import only_present
from tfmeta.learners.each_query import State
from tfmeta.learners.inner_rules import Parameters
from tfmeta.learners.metric_based.head_fitting import (
    RealSupport,
    WeightSpace,
    descend,
    fit_weights,
)
from tfmeta.learners.metric_based.pretrained_learner import (
    PretrainedLearner,
    check_positive,
)
from tfmeta.row_tables import of_each_row

# Below it a squared length counts as 0. The vectors are sums of directions, whose
# squared lengths rounding alone makes as large.
_LEAST_SQUARE = 1e-12


@keras.saving.register_keras_serializable(package="tfmeta")
class BaselinePlusPlus(PretrainedLearner):
    """Trains on all base classes at once, then fits a cosine head on the support.

    Chen, Liu, Kira, Wang and Huang (2019), *A Closer Look at Few-shot
    Classification*. As `Baseline`, but the logit of a class is the cosine
    between embedding and class vector times a scale, in training and for a new
    task. The paper finds that this alone, by making classes compact, comes
    close to methods that train on episodes.

    From the authors' code come the scale (2, and 10 where there are more than
    200 base classes), a learned length of every class vector beside its
    direction (`tfmeta.layers.CosineDense`), and SGD with learning rate 0.01,
    momentum 0.9, dampening 0.9 and weight decay 0.001 to fit the head of a task.
    What differs, so that the head is a function of the support alone and no
    class is favoured: each step sees the whole support, where theirs draws
    batches of 4 (100 epochs of them, so 200 steps at 5-way 1-shot and 700 at
    5-way 5-shot); and a class vector starts at the mean direction of its class
    with length 1, where theirs starts at random.

    It can be trained on episodes, too, through the fitting of the head; that is
    another method, and leaves the base head as it is.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        base_classes: Number of classes to train on, `table.num_classes`.
        scale: What cosines of the base classes are multiplied by; by default 2
            for up to 200 classes and 10 for more.
        head_scale: What cosines of a new task are multiplied by.
        head_steps: Steps that fit the head of a new task.
        head_learning_rate: Learning rate of these steps.
        head_weight_decay: Weight decay of these steps.
        seed: Seed of the base head's weights, `None` for others at every call.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, or when a number is out of range.

    Example:

    ```python
    learner = tfmeta.learners.BaselinePlusPlus(
        tfmeta.encoders.Conv4((84, 84, 3)), table.num_classes
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(
        as_supervised(table, batch_size=128, seed=0, epochs=None),
        steps_per_epoch=100,
        epochs=10,
        validation_data=validation_episodes.as_dataset(steps=25),
    )
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        base_classes: int,
        *,
        scale: float | None = None,
        head_scale: float = 2.0,
        **kwargs: Any,
    ) -> None:
        self.scale = None if scale is None else check_positive("scale", scale)
        self.head_scale = check_positive("head_scale", head_scale)
        super().__init__(encoder, base_classes, **kwargs)

    def make_base_head(self) -> keras.layers.Layer:
        """The cosine layer of the base classes."""
        return CosineDense(
            self.base_classes,
            self.scale or (2.0 if self.base_classes <= 200 else 10.0),
            kernel_initializer=keras.initializers.GlorotUniform(self.seed),
            dtype=self.variable_dtype,
            name="base_head",
        )

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """Weights `(tasks, features, ways)`, and which ways are present.

        The length of a way's weights is what its cosines are multiplied by.
        """
        support = RealSupport.of(embeddings, support_labels, support_mask)
        directions = of_each_row(unit_vectors, support.embeddings)

        def fit(space: WeightSpace) -> Parameters:
            def cosines_of(vectors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                products = space.products(vectors)
                squares = space.squares(vectors, products)
                too_small = squares < _LEAST_SQUARE
                least = tf.constant(_LEAST_SQUARE, squares.dtype)
                lengths = tf.sqrt(tf.where(too_small, least, squares))
                return products / lengths, lengths

            def gradient(parameters: Parameters) -> Parameters:
                vectors, gains = parameters
                cosines, lengths = cosines_of(vectors)
                by_logits = support.loss_by_logits(self.head_scale * gains * cosines)
                by_gains = self.head_scale * tf.reduce_sum(
                    by_logits * cosines, axis=1, keepdims=True
                )
                # What would change its length alone does not change a cosine.
                across = space.combine(self.head_scale * by_logits)
                across -= by_gains * vectors / lengths
                return [gains / lengths * across, by_gains]

            start = space.combine(support.labels)
            start /= cosines_of(start)[1]
            vectors, gains = descend(
                [start, tf.ones_like(support.labels[:, :1])],
                gradient,
                steps=self.head_steps,
                learning_rate=self.head_learning_rate,
                weight_decay=self.head_weight_decay,
            )
            return [vectors / cosines_of(vectors)[1], gains]

        vectors, gains = fit_weights(directions, fit)
        weights = self.head_scale * gains * vectors
        return {"weights": weights, "present": support.present}

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Logits of the fitted head; `-inf` for absent ways."""
        weights = state["weights"]
        embeddings = tf.cast(embeddings, weights.dtype)
        logits = tf.matmul(of_each_row(unit_vectors, embeddings), weights)
        return only_present(logits, state["present"])

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "head_scale": self.head_scale,
        }
