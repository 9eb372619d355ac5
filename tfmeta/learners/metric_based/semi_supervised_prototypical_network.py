"""Prototypes that unlabelled examples refine."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.distances import SquaredEuclidean
from tfmeta.learners.class_sums import (
    at_least_float32,
    class_means,
    only_present,
    real_labels,
)
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.metric_based.soft_k_means import (
    MaskedSoftKMeans,
    SoftKMeans,
    SoftKMeansWithDistractor,
)

_REFINEMENTS: dict[str, type[SoftKMeans]] = {
    "soft_k_means": SoftKMeans,
    "soft_k_means_with_distractor": SoftKMeansWithDistractor,
    "masked_soft_k_means": MaskedSoftKMeans,
}
_SOURCES = ("unlabelled", "queries")


@keras.saving.register_keras_serializable(package="tfmeta")
class SemiSupervisedPrototypicalNetwork(EmbeddingLearner):
    """A Prototypical Network whose prototypes unlabelled examples refine.

    Ren, Triantafillou, Ravi, Snell, Swersky, Tenenbaum, Larochelle and Zemel (2018),
    *Meta-Learning for Semi-Supervised Few-Shot Classification*. Prototypes begin as
    the means of the support `x_i`. In each step of soft k-means every unlabelled
    example `x̃_j` belongs to each class by `z_{j,c}` between 0 and 1, and then

        p_c = (Σ_{i of c} x_i + Σ_j z_{j,c} x̃_j) / (Σ_{i of c} 1 + Σ_j z_{j,c})

    The logits are the negative squared distances to the refined prototypes.
    `tfmeta.learners.metric_based.soft_k_means` has the three forms of `z`. Without
    unlabelled examples this is `PrototypicalNetwork`.

    Train it on episodes of the kind that it is to meet, such as
    `Episodes(table, unlabelled=5, distractors=5)`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        refinement: `"soft_k_means"`, where every example belongs to some class;
            `"soft_k_means_with_distractor"`, with a cluster at the origin for those
            of no class; or `"masked_soft_k_means"`, which learns how far from a
            prototype an example still counts.
        steps: Steps of k-means, at least 1.
        unlabelled_from: `"unlabelled"` for the unlabelled examples of an episode,
            or `"queries"`: the queries of a task refine the prototypes that they
            are compared with, so that the learner is transductive.
        seed: Seed of the network of `"masked_soft_k_means"`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors, or an argument is unknown
            or out of range.

    Example:

    ```python
    episodes = Episodes(table, ways=5, unlabelled=5, distractors=5)
    learner = tfmeta.learners.SemiSupervisedPrototypicalNetwork(
        tfmeta.encoders.Conv4(), refinement="masked_soft_k_means"
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels, unlabelled=unlabelled)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        refinement: str = "soft_k_means",
        steps: int = 1,
        unlabelled_from: str = "unlabelled",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ("refinement", refinement, tuple(_REFINEMENTS)),
            ("unlabelled_from", unlabelled_from, _SOURCES),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. Received: "
                    f"{name}={value!r}"
                )
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(
                f"`steps` must be an int of at least 1. Received: steps={steps!r}"
            )
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.refinement = refinement
        self.steps = steps
        self.unlabelled_from = unlabelled_from
        self.seed = seed
        self.transductive = unlabelled_from == "queries"
        self.uses_unlabelled = not self.transductive
        self.k_means = _REFINEMENTS[refinement](
            seed, dtype=self.dtype_policy.variable_dtype
        )

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Learns the classes of the support set; see `FewShotLearner.adapt`.

        Args:
            support: `(tasks, support, *example)`.
            support_labels: `(tasks, support, ways)` one-hot float.
            support_mask: `(tasks, support)` bool, False is padding, or `None`.
            unlabelled: `(tasks, unlabelled, *example)`, or `None`.
            unlabelled_mask: `(tasks, unlabelled)` bool, False is padding, or `None`.
            state: `None`.
            training: Whether layers run in training mode.

        Returns:
            The state.

        Raises:
            ValueError: When there are unlabelled examples and the learner is one
                that takes the queries for them.
        """
        self.refuse_state(state)
        if unlabelled is None:
            return super().adapt(
                support, support_labels, support_mask=support_mask, training=training
            )
        parts = {"support": support, "unlabelled": tf.convert_to_tensor(unlabelled)}
        masks = {"support": support_mask, "unlabelled": unlabelled_mask}
        embedded = self.embed_together(
            parts,
            {name: mask for name, mask in masks.items() if mask is not None},
            training=training,
        )
        return self.adapt_embeddings(
            embedded["support"],
            support_labels,
            support_mask=support_mask,
            unlabelled=embedded["unlabelled"],
            unlabelled_mask=unlabelled_mask,
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
        """Prototypes `(tasks, ways, features)`, and the shots behind them.

        The prototypes are refined already where `unlabelled` is given.
        """
        embeddings = at_least_float32(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        prototypes, shots = class_means(embeddings, labels)
        state = {"prototypes": prototypes, "shots": shots}
        if unlabelled is None:
            return state
        if self.transductive:
            raise ValueError(
                "`unlabelled` must be None with unlabelled_from='queries': the queries "
                "stand in for unlabelled examples. Received: unlabelled of shape "
                f"{tuple(unlabelled.shape)}"
            )
        return {
            **state,
            "prototypes": self._refined(state, unlabelled, unlabelled_mask),
        }

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Negative squared distances to the prototypes; `-inf` for absent ways."""
        prototypes = state["prototypes"]
        if self.transductive:
            prototypes = self._refined(state, embeddings, query_mask)
        embeddings = tf.cast(embeddings, prototypes.dtype)
        logits = SquaredEuclidean().similarity(embeddings, prototypes)
        return only_present(logits, state["shots"] > 0)

    def _refined(
        self, state: State, unlabelled: tf.Tensor, mask: tf.Tensor | None
    ) -> tf.Tensor:
        """Prototypes after the steps of k-means; those of absent ways stay 0."""
        prototypes, shots = state["prototypes"], state["shots"]
        unlabelled = tf.cast(unlabelled, prototypes.dtype)
        if mask is None:
            mask = tf.ones(tf.shape(unlabelled)[:2], tf.bool)
        unlabelled = tf.where(mask[:, :, None], unlabelled, 0.0)
        present = shots > 0
        # In float32 a large common offset takes the digits of what differs.
        wide = tf.cast(unlabelled, tf.float64)
        shots = tf.cast(shots, tf.float64)
        sums = tf.cast(prototypes, tf.float64) * shots[:, :, None]
        for _ in range(self.steps):
            members = self.k_means.memberships(prototypes, present, unlabelled, mask)
            members = tf.cast(members, tf.float64)
            weight = shots + tf.reduce_sum(members, axis=1)
            refined = sums + tf.matmul(members, wide, transpose_a=True)
            refined /= tf.maximum(weight, 1.0)[:, :, None]
            prototypes = tf.cast(refined, prototypes.dtype)
        return prototypes

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "refinement": self.refinement,
            "steps": self.steps,
            "unlabelled_from": self.unlabelled_from,
            "seed": self.seed,
        }
