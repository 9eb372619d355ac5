"""Prototypes from descriptions of classes."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.layers.sphere import unit_vectors
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.class_sums import sound_support
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding import embed_rows
from tfmeta.learners.encoder_check import check_encoder, check_gives_vectors
from tfmeta.learners.metric_based.prototypical_network import PrototypicalNetwork


@keras.saving.register_keras_serializable(package="tfmeta")
class ZeroShotPrototypicalNetwork(PrototypicalNetwork):
    """Classifies a query among classes of which only a description is known.

    Snell, Swersky and Zemel (2017), *Prototypical Networks for Few-shot Learning*,
    the section on zero-shot learning. A class is enrolled by a vector of meta-data
    (attributes, or the words of a text) instead of examples: the prototype is the
    embedding `g` of the description by an encoder of its own. The two encoders see
    different kinds of input, and the paper found it helpful to give `g` unit length,
    while the embedding of a query is free.

    `support` holds descriptions, one row for a class. Where there are several of a
    class, the prototype is the mean of their embeddings, brought to unit length.
    `Episodes(table, support="attributes")` gives such episodes from a table with
    `class_attributes`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        attribute_encoder: A built `keras.Model` from a batch of descriptions to a
            batch of vectors of the same length.
        distance: `"squared_euclidean"`, `"euclidean"`, `"cosine"` or a
            `tfmeta.distances.Distance`.
        unit_prototypes: Whether prototypes are brought to unit length.

    Raises:
        TypeError: When an encoder is no `keras.Model`.
        ValueError: When an encoder does not give vectors or could not be loaded
            after saving, when the two do not give vectors of one length, or when
            `distance` is unknown.

    Example:

    ```python
    attributes = keras.Sequential([keras.Input((312,)), keras.layers.Dense(64)])
    learner = tfmeta.learners.ZeroShotPrototypicalNetwork(
        tfmeta.encoders.Conv4(), attributes
    )
    episodes = tfmeta.episodes.Episodes(birds, ways=50, support="attributes")
    learner.compile(keras.optimizers.Adam(1e-4))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100)
    ```
    """

    encoder_arguments = ("encoder", "attribute_encoder")

    def __init__(
        self,
        encoder: keras.Model,
        attribute_encoder: keras.Model,
        distance: str | distances.Distance = "squared_euclidean",
        unit_prototypes: bool = True,
        **kwargs: Any,
    ) -> None:
        attribute_encoder = check_encoder(attribute_encoder, "attribute_encoder")
        check_gives_vectors(attribute_encoder, "attribute_encoder")
        super().__init__(encoder, distance, **kwargs)
        features = self.encoder.output_shape[-1]
        if attribute_encoder.output_shape[-1] != features:
            raise ValueError(
                f"`attribute_encoder` must give vectors of {features} numbers, as "
                "`encoder` does. Received: output shape "
                f"{attribute_encoder.output_shape}"
            )
        self.attribute_encoder = attribute_encoder
        self.unit_prototypes = unit_prototypes

    @property
    def support_encoder(self) -> keras.Model:
        """The encoder of descriptions."""
        return self.attribute_encoder

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Enrols classes by `support` `(tasks, support, *description)`."""
        self.refuse_state(state)
        embeddings = embed_rows(
            self.attribute_encoder, support, mask=support_mask, training=training
        )
        return self.adapt_embeddings(
            *sound_support(embeddings, support_labels),
            support_mask=support_mask,
            training=training,
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
        """`adapt` from embeddings of descriptions."""
        state = super().adapt_embeddings(
            embeddings, support_labels, support_mask=support_mask, training=training
        )
        if not self.unit_prototypes:
            return state
        unit = unit_vectors(state["prototypes"])
        return {**state, "prototypes": unit}

    def adapt_embedded(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> State:
        """As `EmbeddingLearner.adapt_embedded`; `support` still holds descriptions."""
        return self.adapt_episode(inputs, training=training)

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch, by the two verbs."""
        # The two kinds of input cannot go through one encoder together.
        return FewShotLearner.episode_logits(self, inputs, training=training)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "unit_prototypes": self.unit_prototypes}
