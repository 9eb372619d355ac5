"""Relation Networks."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from tfmeta.learners.class_sums import (
    at_least_float32,
    only_present,
    real_labels,
)
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.metric_based.relation_module import RelationModule
from tfmeta.losses import RelationScoreLoss

_OBJECTIVES = ("mean_squared_error", "cross_entropy")
_CLASS_MAPS = ("mean", "sum")


@keras.saving.register_keras_serializable(package="tfmeta")
class RelationNetwork(EmbeddingLearner):
    """Classifies a query by a comparison that is itself learned.

    Sung, Yang, Zhang, Xiang, Torr and Hospedales (2018), *Learning to Compare:
    Relation Network for Few-Shot Learning*. The encoder gives maps, not vectors;
    the maps of a class's shots become one, and a small convolutional network, the
    relation module, looks at it together with the map of a query and says how
    well they fit.

    The paper trains this score, through a sigmoid, to be 1 for the right class
    and 0 for others by mean squared error, and draws 15 to 19 queries per class
    (5-way 1-shot 19, 5-way 5-shot 15, 20-way 1-shot 10, 20-way 5-shot 5). The
    logits are the scores before the sigmoid: the same order, but trained that way
    their softmax is no calibrated probability.

    Every query is compared with every class: a training step holds `tasks *
    queries * ways` pairs of maps, so that 5 to 20 ways are a good choice where
    Prototypical Networks take 60.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of maps
            `(height, width, channels)`, such as `tfmeta.encoders.Conv4(
            pooled_blocks=2, flatten=False)`.
        objective: What `compile` trains on when no loss is given:
            `"mean_squared_error"`, as in the paper, or `"cross_entropy"` of the
            softmax over the scores.
        class_map: What is made of the maps of a class's shots, their `"mean"` or,
            as in the paper, their `"sum"`. For one shot they are the same. The sum
            grows with the shots, so a learner that uses it must be tested with as
            many as it was trained with.
        relation_filters: Filters of the relation module's convolutions.
        relation_units: Width of its hidden layer.
        seed: Seed of its weights, `None` for others at every call.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give maps of a fixed size or could not
            be loaded after saving, or when another argument is not one of the
            above.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4(pooled_blocks=2, flatten=False)
    learner = tfmeta.learners.RelationNetwork(encoder)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    scores = tf.sigmoid(learner.predict_query(state, query))
    ```
    """

    independent_classes = True

    def __init__(
        self,
        encoder: keras.Model,
        *,
        objective: Literal["mean_squared_error", "cross_entropy"] = (
            "mean_squared_error"
        ),
        class_map: Literal["mean", "sum"] = "mean",
        relation_filters: int = 64,
        relation_units: int = 8,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        for argument, value, accepted in (
            ("objective", objective, _OBJECTIVES),
            ("class_map", class_map, _CLASS_MAPS),
        ):
            if value not in accepted:
                raise ValueError(
                    f"`{argument}` must be one of {', '.join(accepted)}. Received: "
                    f"{argument}={value!r}"
                )
        for argument, size in (
            ("relation_filters", relation_filters),
            ("relation_units", relation_units),
        ):
            if not isinstance(size, int) or size < 1:
                raise ValueError(
                    f"`{argument}` must be an int of at least 1. Received: "
                    f"{argument}={size!r}"
                )
        self.objective = objective
        self.class_map = class_map
        self.relation_filters = relation_filters
        self.relation_units = relation_units
        self.seed = seed
        super().__init__(encoder, **kwargs)
        map_shape = self.encoder.output_shape[1:]
        if len(map_shape) != 3 or None in map_shape:
            raise ValueError(
                "`encoder` must map a batch of examples to a batch of maps of a fixed "
                "size, of shape (batch, height, width, channels), such as "
                "Conv4(pooled_blocks=2, flatten=False). Received: output shape "
                f"{self.encoder.output_shape}"
            )
        self.relation_module = RelationModule(
            map_shape,
            filters=relation_filters,
            units=relation_units,
            seed=seed,
            dtype=self.dtype_policy,
            name="relation_module",
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
        """Maps `(tasks, ways, height, width, channels)`, and which are present."""
        embeddings = at_least_float32(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        counts = tf.reduce_sum(labels, axis=1)
        real = tf.reduce_any(labels > 0, axis=-1)[:, :, None, None, None]
        embeddings = tf.where(real, embeddings, 0.0)
        maps = tf.einsum("tsw,tshvc->twhvc", labels, embeddings)
        if self.class_map == "mean":
            maps /= tf.maximum(counts, 1.0)[:, :, None, None, None]
        return {"class_maps": maps, "present": counts > 0}

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Scores before the sigmoid; `-inf` for absent ways.

        Args:
            state: What `adapt_embeddings` returned.
            embeddings: `(tasks, queries, height, width, channels)`.
            query_mask: `(tasks, queries)` bool; matters in training alone, where
                the relation module's batch statistics would see padding.
            training: Whether the relation module runs in training mode.
        """
        real = None
        if training:
            present = state["present"][:, None, :]
            real = tf.repeat(present, tf.shape(embeddings)[1], axis=1)
            if query_mask is not None:
                real &= query_mask[:, :, None]
        scores = self.relation_module(
            state["class_maps"], embeddings, real, training=training
        )
        return only_present(at_least_float32(scores), state["present"])

    def default_loss(self) -> keras.losses.Loss | None:
        """The loss of `objective`."""
        if self.objective == "cross_entropy":
            return super().default_loss()
        # Keras would cast float64 logits to its global float type.
        wide = "float64" if self.compute_dtype == "float64" else None
        return RelationScoreLoss(dtype=wide)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "objective": self.objective,
            "class_map": self.class_map,
            "relation_filters": self.relation_filters,
            "relation_units": self.relation_units,
            "seed": self.seed,
        }
