"""Matching Networks."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.learners.class_sums import (
    at_least_float32,
    only_present,
    real_labels,
)
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.metric_based.full_context import FullContext


@keras.saving.register_keras_serializable(package="tfmeta")
class MatchingNetwork(EmbeddingLearner):
    """Classifies a query by attention over the examples of the support.

    Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra (2016), *Matching
    Networks for One Shot Learning*. A query attends to each support example with
    the softmax of their cosine similarity, and the probability of a class is the
    attention that its examples receive: a nearest neighbour method that can be
    differentiated. The logits are the logarithms of these probabilities. Shots
    are never averaged, so a class may be of several kinds.

    Cosines lie in [-1, 1]. In the paper's softmax over them, temperature 1, the
    best match of 60 gets at most `e² / (e² + 59)`, 11 %, of the attention when
    all others point the other way, and the loss never lets go of examples that
    are told apart well. `temperature` divides the similarities.

    With `full_context` the embeddings depend on the whole support set:
    `tfmeta.learners.metric_based.full_context.FullContext`. The order of the
    support changes nothing there either.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        distance: `"cosine"`, `"squared_euclidean"`, `"euclidean"` or a
            `tfmeta.distances.Distance`.
        temperature: What similarities are divided by before the softmax, above 0.
            The paper's is 1. For Euclidean distances, which have a scale of
            their own, 1 serves well; for `"cosine"` the default.
        learn_temperature: Whether the temperature is a weight (its logarithm is)
            that starts at `temperature`.
        full_context: Whether embeddings depend on the support set.
        steps: With `full_context`, how often a query looks at the support.
        seed: Seed of the weights that `full_context` adds.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, when `distance` is unknown, `temperature` is not above 0
            or `steps` not at least 1.

    Example:

    ```python
    learner = tfmeta.learners.MatchingNetwork(tfmeta.encoders.Conv4())
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    probabilities = tf.exp(learner.predict_query(state, query))
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        distance: str | distances.Distance = "cosine",
        *,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        full_context: bool = False,
        steps: int = 5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not 0 < temperature < math.inf:
            raise ValueError(
                "`temperature` must be above 0 and finite. Received: "
                f"temperature={temperature}"
            )
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(
                f"`steps` must be an int of at least 1. Received: steps={steps!r}"
            )
        self.distance = distances.get(distance)
        self.temperature = float(temperature)
        self.learn_temperature = bool(learn_temperature)
        self.full_context = bool(full_context)
        self.steps = steps
        self.seed = seed
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.log_temperature = None
        if self.learn_temperature:
            self.log_temperature = self.add_weight(
                shape=(),
                # Keras' Constant would round it to float32.
                initializer=lambda shape, dtype: tf.constant(
                    math.log(temperature), dtype
                ),
                dtype=self.variable_dtype,
                name="log_temperature",
            )
        self.context = None
        if self.full_context:
            # Half precision would round what is to be compared.
            self.context = FullContext(
                self.encoder.output_shape[1],
                steps=steps,
                seed=seed,
                dtype=self.variable_dtype,
                name="full_context",
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
        """Support embeddings `(tasks, support, features)` and their labels.

        Labels are 0 in padded rows.
        """
        embeddings = at_least_float32(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        embeddings = tf.where(_real(labels)[..., None], embeddings, 0.0)
        if self.context is not None:
            order = self.context.support_order(embeddings, _real(labels))
            embeddings = tf.gather(embeddings, order, batch_dims=1)
            labels = tf.gather(labels, order, batch_dims=1)
            embeddings = self.context.embed_support(embeddings, _real(labels))
        return {"embeddings": embeddings, "labels": labels}

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Logarithms of the classes' attention; `-inf` for absent ways."""
        support, labels = state["embeddings"], state["labels"]
        embeddings = tf.cast(embeddings, support.dtype)
        if self.context is not None:
            embeddings = self.context.embed_query(embeddings, support, _real(labels))
        scores = self.distance.similarity(embeddings, support)
        if self.log_temperature is None:
            scores /= self.temperature
        else:
            scores *= tf.exp(-tf.cast(self.log_temperature, scores.dtype))
        never = tf.constant(float("-inf"), scores.dtype)
        real = _real(labels)
        some = tf.reduce_any(real, axis=-1, keepdims=True)
        attention = tf.nn.log_softmax(
            tf.where((real | ~some)[:, None, :], scores, never)
        )
        member = tf.transpose(labels, [0, 2, 1])[:, None] > 0
        present = tf.reduce_any(member, axis=-1)
        # The logarithm of the sum of nothing has no derivative: absent ways take
        # all rows, and are selected away.
        taken = tf.where(member | ~present[..., None], attention[:, :, None], never)
        return only_present(tf.reduce_logsumexp(taken, axis=-1), present[:, 0])

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "distance": keras.saving.serialize_keras_object(self.distance),
            "temperature": self.temperature,
            "learn_temperature": self.learn_temperature,
            "full_context": self.full_context,
            "steps": self.steps,
            "seed": self.seed,
        }


def _real(labels: tf.Tensor) -> tf.Tensor:
    """Which support rows belong to a way."""
    return tf.reduce_any(labels > 0, axis=-1)
