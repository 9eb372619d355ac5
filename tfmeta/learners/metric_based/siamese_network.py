"""Siamese networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.finite import finite_or_nan, nan_unless
from tfmeta.layers import WeightedL1
from tfmeta.learners.class_sums import (
    at_least_float32,
    class_means,
    only_present,
    real_labels,
)
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.labelled_queries import (
    QUERY_LABELS,
    QUERY_WEIGHTS,
    with_query_labels,
)
from tfmeta.losses import ContrastiveLoss, EmbeddingLoss, TripletLoss
from tfmeta.losses.pairs import alike_pairs, mean_over_pairs

_TAKES = {
    "verification": (),
    "contrastive": ("margin", "distance"),
    "triplet": ("margin", "mining", "distance"),
}


@keras.saving.register_keras_serializable(package="tfmeta")
class SiameseNetwork(EmbeddingLearner):
    """Learns whether two examples are of one class, and asks that of new classes.

    Koch, Zemel and Salakhutdinov (2015), *Siamese Neural Networks for One-shot
    Image Recognition*. Two examples are alike with probability `σ(b + Σ_j α_j
    |h1_j − h2_j|)`, where `h` are their embeddings and `α` and `b` are learned. A
    query is of the class whose support is most alike.

    Training never sees the episode's task, only its pairs: the objective is
    computed over all support and query examples of an episode, each compared with
    each. Examples of different tasks make no pair, since tasks may share classes.
    Objectives:

    - `"verification"`, the paper's: binary cross-entropy of all pairs. In an
      episode of 60 ways and 6 examples of each, 1 pair of 72 is alike; as in the
      paper, whose batches hold as many of either kind, the mean over the alike
      pairs and that over the others count one half each.
    - `"contrastive"`: `tfmeta.losses.ContrastiveLoss(balanced=True)`, of a distance
      in place of the learned head.
    - `"triplet"`: `tfmeta.losses.TripletLoss`, likewise.
    - any `tfmeta.losses.EmbeddingLoss`.

    `loss` and `val_loss` are the objective, accuracy that of the episodes. A loss
    that is given to `compile` takes the objective's place, and trains on the logits.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors. The paper's is `tfmeta.encoders.KochConvNet`.
        objective: What is trained.
        margin: The margin of `"contrastive"` and `"triplet"`; `None` for their
            default, 1.
        mining: Which triplets `"triplet"` looks at, `"semi_hard"` (default),
            `"hard"` or `"all"`.
        distance: The distance of `"contrastive"` and `"triplet"`, and of their
            logits: `"euclidean"` (default), `"squared_euclidean"`, `"cosine"` or a
            `tfmeta.distances.Distance`.
        k_shot: What several shots of a class are: `"nearest"`, each is compared
            and the most alike counts; or `"mean"`, one, their mean embedding.

    Raises:
        TypeError: When `encoder` is no `keras.Model`, or `objective` is no loss of
            embeddings.
        ValueError: When `encoder` does not give vectors or could not be loaded
            after saving, an argument is unknown, or one is given that the objective
            does not take.

    Example:

    ```python
    learner = tfmeta.learners.SiameseNetwork(
        tfmeta.encoders.Conv4(), "triplet", mining="hard"
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        objective: str | dict | EmbeddingLoss = "verification",
        *,
        margin: float | None = None,
        mining: str | None = None,
        distance: str | dict | distances.Distance | None = None,
        k_shot: str = "nearest",
        **kwargs: Any,
    ) -> None:
        if k_shot not in ("nearest", "mean"):
            raise ValueError(
                f"`k_shot` must be 'nearest' or 'mean'. Received: k_shot={k_shot!r}"
            )
        self.k_shot = k_shot
        self.objective = _objective(objective)
        self.margin, self.mining = margin, mining
        self.distance = None if distance is None else distances.get(distance)
        self.pair_loss = _pair_loss(self.objective, margin, mining, self.distance)
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.head: WeightedL1 | None = None
        if self.pair_loss is None:
            shape = self.encoder.output_shape
            self.head = WeightedL1(dtype=self.dtype_policy, autocast=False, name="head")
            self.head.build((shape, shape))

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
        """The examples that queries are compared with.

        Returns:
            `references`, `(tasks, references, features)`: the support embeddings,
            or the mean of each class; and `members`, `(tasks, references, ways)`
            bool, of which class each is, if of any.
        """
        embeddings = at_least_float32(embeddings)
        labels = real_labels(support_labels, support_mask, embeddings.dtype)
        if self.k_shot == "nearest":
            return {"references": embeddings, "members": labels > 0}
        means, counts = class_means(embeddings, labels)
        return {"references": means, "members": tf.linalg.diag(counts) > 0}

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """How alike each query and its most alike reference of each class are.

        For `"verification"` the logit of the probability that the two are of one
        class; else the similarity of `distance`.
        """
        references = state["references"]
        alike = self._similarity(tf.cast(embeddings, references.dtype), references)
        members = state["members"]
        nothing = tf.constant(float("-inf"), alike.dtype)
        chosen = tf.where(members[:, None], alike[..., None], nothing)
        # Where a maximum leaves NaN out (XLA) and where it does not, a class has no
        # most alike example when that of one is unknown.
        unknown = tf.matmul(
            tf.cast(~tf.math.is_finite(alike), alike.dtype),
            tf.cast(members, alike.dtype),
        )
        most = nan_unless(unknown <= 0, tf.reduce_max(chosen, axis=2))
        return only_present(most, tf.reduce_any(members, axis=1))

    def _similarity(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """`(tasks, n, m)` of `(tasks, n, features)` and `(tasks, m, features)`."""
        if self.pair_loss is not None:
            return self.pair_loss.distance.similarity(first, second)
        assert self.head is not None
        return self.head((first, second))

    def embedded_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch of embeddings.

        Where the batch holds the queries' labels, as in training and validation,
        the objective is added to the losses.
        """
        if QUERY_LABELS in inputs:
            self.add_loss(self._objective_value(inputs))
        return super().embedded_logits(inputs, training=training)

    def _objective_value(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """The objective over the support and query embeddings of each task."""
        embeddings = at_least_float32(
            tf.concat([inputs["support"], inputs["query"]], axis=1)
        )
        labels = real_labels(
            inputs["support_labels"], inputs.get("support_mask"), embeddings.dtype
        )
        query_weights = tf.cast(inputs[QUERY_WEIGHTS], embeddings.dtype)
        weights = tf.concat([tf.reduce_sum(labels, axis=-1), query_weights], axis=1)
        class_numbers = tf.argmax(labels, axis=-1, output_type=tf.int32)
        query_labels = tf.cast(inputs[QUERY_LABELS], tf.int32)
        alike = alike_pairs(tf.concat([class_numbers, query_labels], axis=1))
        if self.pair_loss is not None:
            return self.pair_loss.value(embeddings, alike, weights)
        embeddings = tf.where(weights[..., None] > 0, embeddings, 0.0)
        scores = finite_or_nan(self._similarity(embeddings, embeddings))
        costs = tf.nn.sigmoid_cross_entropy_with_logits(
            tf.cast(alike, embeddings.dtype), scores
        )
        return mean_over_pairs(costs, alike, weights, balanced=True)

    def default_loss(self) -> None:
        """`None`: the objective needs embeddings, and is added while they are there."""
        return None

    def train_step(self, data: tuple) -> dict[str, Any]:
        """One step on a batch, as `keras.Model.train_step`."""
        return super().train_step(self._with_query_labels(data))

    def test_step(self, data: tuple) -> dict[str, Any]:
        """Metrics of a batch, as `keras.Model.test_step`."""
        return super().test_step(self._with_query_labels(data))

    def _with_query_labels(self, data: tuple) -> tuple:
        """The batch with what the objective needs besides the inputs."""
        if self.loss is not None:
            return data
        return with_query_labels(data)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        objective, distance = self.objective, self.distance
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "objective": (
                objective if isinstance(objective, str) else serialize(objective)
            ),
            "margin": self.margin,
            "mining": self.mining,
            "distance": None if distance is None else serialize(distance),
            "k_shot": self.k_shot,
        }


def _objective(objective: str | dict | EmbeddingLoss) -> str | EmbeddingLoss:
    """A name of `_TAKES`, or a loss of embeddings."""
    names = ", ".join(_TAKES)
    if isinstance(objective, str):
        if objective not in _TAKES:
            raise ValueError(
                f"`objective` must be one of {names}, or a loss of tfmeta.losses. "
                f"Received: objective={objective!r}"
            )
        return objective
    if isinstance(objective, dict):
        objective = keras.saving.deserialize_keras_object(objective)
    if not isinstance(objective, EmbeddingLoss):
        raise TypeError(
            f"`objective` must be one of {names}, or a loss of tfmeta.losses. "
            f"Received: {objective!r}"
        )
    return objective


def _pair_loss(
    objective: str | EmbeddingLoss,
    margin: float | None,
    mining: str | None,
    distance: distances.Distance | None,
) -> EmbeddingLoss | None:
    """The loss of the objective; `None` for that of the learned head."""
    every = {"margin": margin, "mining": mining, "distance": distance}
    given: dict[str, Any] = {
        name: value for name, value in every.items() if value is not None
    }
    takes = _TAKES[objective] if isinstance(objective, str) else ()
    for name, value in given.items():
        if name not in takes:
            title = objective if isinstance(objective, str) else "a loss object"
            raise ValueError(
                f"`{name}` is no argument of objective {title!r}, which takes "
                f"{', '.join(takes) or 'none'}. Received: {name}={value!r}"
            )
    if isinstance(objective, EmbeddingLoss):
        return objective
    if objective == "contrastive":
        return ContrastiveLoss(**given, balanced=True)
    if objective == "triplet":
        return TripletLoss(**given)
    return None
