"""Baseline: a linear classifier on an encoder trained the ordinary way."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmeta.learners.class_sums import only_present
from tfmeta.learners.each_query import State
from tfmeta.learners.inner_rules import Parameters
from tfmeta.learners.metric_based.head_fitting import (
    RealSupport,
    WeightSpace,
    descend,
    fit_weights,
)
from tfmeta.learners.metric_based.pretrained_learner import PretrainedLearner


@keras.saving.register_keras_serializable(package="tfmeta")
class Baseline(PretrainedLearner):
    """Trains on all base classes at once, then fits a linear head on the support.

    Chen, Liu, Kira, Wang and Huang (2019), *A Closer Look at Few-shot
    Classification*. Training is ordinary supervised classification with a
    linear layer. For a new task the encoder is frozen and another linear layer
    is fitted on the support embeddings.

    As in the authors' code, the head is fitted by SGD with learning rate 0.01,
    momentum 0.9, dampening 0.9 and weight decay 0.001. What differs, so that the
    head is a function of the support alone and no class is favoured: each step
    sees the whole support, where theirs draws batches of 4 (100 epochs of
    them, so 200 steps at 5-way 1-shot and 700 at 5-way 5-shot); and the head
    starts at 0, where theirs starts at random weights.

    It can be trained on episodes, too, through the fitting of the head; that is
    another method, and leaves the base head as it is.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        base_classes: Number of classes to train on, `table.num_classes`.
        head_steps: Steps that fit the head of a new task.
        head_learning_rate: Learning rate of these steps. Embeddings are not
            scaled: those with large numbers need a small one.
        head_weight_decay: Weight decay of these steps.
        seed: Seed of the base head's weights, `None` for others at every call.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, or when a number is out of range.

    Example:

    ```python
    learner = tfmeta.learners.Baseline(tfmeta.encoders.Conv4(), table.num_classes)
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

    def make_base_head(self) -> keras.layers.Layer:
        """The linear layer of the base classes."""
        return keras.layers.Dense(
            self.base_classes,
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
        """Weights `(tasks, features, ways)` and bias, and which ways are present."""
        support = RealSupport.of(embeddings, support_labels, support_mask)

        def fit(space: WeightSpace) -> Parameters:
            def gradient(parameters: Parameters) -> Parameters:
                weights, bias = parameters
                by_logits = support.loss_by_logits(space.products(weights) + bias)
                by_bias = tf.reduce_sum(by_logits, axis=1, keepdims=True)
                return [space.combine(by_logits), by_bias]

            zeros = tf.zeros_like(support.labels)
            return descend(
                [space.combine(zeros), tf.reduce_sum(zeros, axis=1, keepdims=True)],
                gradient,
                steps=self.head_steps,
                learning_rate=self.head_learning_rate,
                weight_decay=self.head_weight_decay,
            )

        weights, bias = fit_weights(support.embeddings, fit)
        return {"weights": weights, "bias": bias[:, 0], "present": support.present}

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
        logits = tf.matmul(tf.cast(embeddings, weights.dtype), weights)
        logits += state["bias"][:, None, :]
        return only_present(logits, state["present"])
