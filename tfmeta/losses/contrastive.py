"""The contrastive loss of pairs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.losses.embedding_loss import EmbeddingLoss
from tfmeta.losses.margins import check_margin
from tfmeta.losses.pairs import mean_over_pairs


def contrastive(
    alike: tf.Tensor,
    distance: tf.Tensor,
    margin: float = 1.0,
    *,
    squared: bool = True,
) -> tf.Tensor:
    """The contrastive loss of each pair, where 1 means ALIKE.

    Alike pairs pay for their distance, others for what they lack to the margin:
    `y d + (1 − y) max(0, margin − d)`, of squares `y d² + (1 − y) max(0, margin −
    d)²`. (Hadsell et al. number the other way round, 0 for alike.)

    Args:
        alike: 1 or `True` where the two of a pair are alike, else 0; the shape of
            `distance`.
        distance: Float, at least 0.
        margin: The distance beyond which unlike pairs cost nothing.
        squared: Whether both terms are squared.

    Returns:
        The losses, in shape and dtype of `distance`.

    Example:

    ```python
    contrastive([1, 0, 0], [0.5, 0.5, 2.0], margin=1.5)  # [0.25, 1.0, 0.0]
    ```
    """
    distance = tf.convert_to_tensor(distance)
    alike = tf.cast(alike, distance.dtype)
    missing = tf.nn.relu(margin - distance)
    if squared:
        distance, missing = tf.square(distance), tf.square(missing)
    return alike * distance + (1.0 - alike) * missing


@keras.saving.register_keras_serializable(package="tfmeta")
class ContrastiveLoss(EmbeddingLoss):
    """Draws alike embeddings together, and others apart up to a margin.

    Hadsell, Chopra and LeCun (2006), *Dimensionality Reduction by Learning an
    Invariant Mapping*. `loss(labels, embeddings)` is the mean of `contrastive`
    over all pairs of rows of a batch; rows of one label are alike. Called with
    batches of many classes, most pairs are unlike: `balanced` gives both kinds
    half of the loss.

    Args:
        margin: The distance beyond which unlike pairs cost nothing, above 0, in
            units of `distance`.
        squared: Whether both terms are squared, as in the paper.
        distance: See `EmbeddingLoss`. The paper's is `"euclidean"`; with
            `"cosine"`, `1 − cosine` lies between 0 and 2.
        balanced: Whether the mean over alike pairs and that over unlike pairs
            count one half each.
        name: Name of the loss.
        dtype: Dtype of its computations, by default Keras' float type.

    Raises:
        ValueError: When the margin is not above 0, or for a distance that does
            not suit.

    Example:

    ```python
    model = tfmeta.encoders.Conv4()
    model.compile("adam", loss=tfmeta.losses.ContrastiveLoss(margin=1.0))
    model.fit(pictures, class_numbers, batch_size=64)
    ```
    """

    def __init__(
        self,
        margin: float = 1.0,
        squared: bool = True,
        distance: str | dict | distances.Distance = "euclidean",
        *,
        balanced: bool = False,
        name: str = "contrastive_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(distance, name=name, dtype=dtype)
        self.margin = check_margin(margin)
        self.squared = squared
        self.balanced = balanced

    def value(
        self, embeddings: tf.Tensor, alike: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """The mean over all pairs; see `EmbeddingLoss.value`."""
        values = contrastive(
            alike,
            self.pairwise(embeddings, weights),
            self.margin,
            squared=self.squared,
        )
        return mean_over_pairs(values, alike, weights, balanced=self.balanced)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "margin": self.margin,
            "squared": self.squared,
            "balanced": self.balanced,
        }
