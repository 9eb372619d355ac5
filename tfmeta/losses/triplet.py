"""The triplet loss, with what it is computed over mined from the batch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta import distances
from tfmeta.finite import finite_or_nan
from tfmeta.losses.embedding_loss import EmbeddingLoss
from tfmeta.losses.margins import check_margin
from tfmeta.losses.pairs import pair_weights, weighted_mean

MININGS = ("semi_hard", "hard", "all")


def triplet(
    anchor_positive: tf.Tensor, anchor_negative: tf.Tensor, margin: float = 1.0
) -> tf.Tensor:
    """The triplet loss of each triplet, `max(0, d(a, p) − d(a, n) + margin)`.

    Args:
        anchor_positive: Distances of anchors to examples of their class, float.
        anchor_negative: Distances of the same anchors to examples of other
            classes, of a shape that fits.
        margin: By how much the second is to be larger.

    Returns:
        The losses, in the shape of both together; NaN where a distance is not finite.

    Example:

    ```python
    triplet([0.5, 0.5], [0.75, 2.0], margin=1.0)  # [0.75, 0.0]
    ```
    """
    anchor_positive = tf.convert_to_tensor(anchor_positive)
    return tf.nn.relu(finite_or_nan(anchor_positive - anchor_negative + margin))


@keras.saving.register_keras_serializable(package="tfmeta")
class TripletLoss(EmbeddingLoss):
    """Wants every row nearer to its own class than to others, by a margin.

    `loss(labels, embeddings)` is the mean of `triplet` over triplets of rows of
    the batch: an anchor, a positive of its label and a negative of another. Which
    triplets, `mining` says:

    - `"semi_hard"`: for each anchor and positive, the nearest of the negatives
      with `d(a, p) < d(a, n) < d(a, p) + margin`. Where there is none, the
      negative at the largest distance: it costs nothing beyond the margin, and
      where all negatives are nearer than the positive, it is the least hard of
      them. Schroff, Kalenichenko and Philbin (2015), *FaceNet: A Unified Embedding
      for Face Recognition and Clustering*.
    - `"hard"`: for each anchor, the farthest positive and the nearest negative.
      Hermans, Beyer and Leibe (2017), *In Defense of the Triplet Loss for Person
      Re-Identification* ("batch hard").
    - `"all"`: all triplets ("batch all" of the same paper, the mean over all).

    None takes more memory than a few matrices `(batch, batch)`.

    Args:
        margin: By how much a negative is to be farther than a positive, above 0,
            in units of `distance`.
        mining: `"semi_hard"`, `"hard"` or `"all"`.
        distance: See `EmbeddingLoss`. FaceNet's is `"squared_euclidean"` of vectors
            of length 1, which is twice that of `"cosine"`.
        name: Name of the loss.
        dtype: Dtype of its computations, by default Keras' float type.

    Raises:
        ValueError: When the margin is not above 0, for an unknown mining, or for a
            distance that does not suit.

    Example:

    ```python
    model = tfmeta.encoders.Conv4()
    model.compile("adam", loss=tfmeta.losses.TripletLoss(mining="hard"))
    model.fit(pictures, class_numbers, batch_size=64)
    ```
    """

    def __init__(
        self,
        margin: float = 1.0,
        mining: str = "semi_hard",
        distance: str | dict | distances.Distance = "euclidean",
        *,
        name: str = "triplet_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(distance, name=name, dtype=dtype)
        self.margin = check_margin(margin)
        if mining not in MININGS:
            raise ValueError(
                f"`mining` must be one of {', '.join(MININGS)}. Received: "
                f"mining={mining!r}"
            )
        self.mining = mining

    def value(
        self, embeddings: tf.Tensor, alike: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """The mean over the triplets; see `EmbeddingLoss.value`."""
        distance = self.pairwise(embeddings, weights)
        pairs = pair_weights(weights)
        positive, negative = alike & (pairs > 0), ~alike & (pairs > 0)
        of_triplets = {
            "semi_hard": self._semi_hard,
            "hard": self._hard,
            "all": self._all,
        }[self.mining]
        value = of_triplets(distance, pairs, positive, negative, weights)
        # NaN has no place in an order: among sorted distances it is just one that
        # nobody may look at.
        read = tf.where(pairs > 0, distance, 0.0)
        sound = tf.reduce_all(tf.math.is_finite(read))
        return value * tf.where(sound, tf.ones_like(value), float("nan"))

    def _semi_hard(
        self,
        distance: tf.Tensor,
        pairs: tf.Tensor,
        positive: tf.Tensor,
        negative: tf.Tensor,
        weights: tf.Tensor,
    ) -> tf.Tensor:
        negatives, sizes, counts = _sorted_negatives(distance, negative, weights)
        last = tf.maximum(counts - 1, 0)
        nearest = tf.minimum(tf.searchsorted(negatives, distance, side="right"), last)
        of_nearest = _pick(negatives, nearest)
        in_band = (distance < of_nearest) & (of_nearest < distance + self.margin)
        chosen = tf.where(in_band, nearest, last)
        usable = positive & (counts > 0)
        values = triplet(
            tf.where(usable, distance, 0.0),
            tf.where(usable, _pick(negatives, chosen), 0.0),
            self.margin,
        )
        sizes = tf.where(usable, pairs * _pick(sizes, chosen), 0.0)
        return weighted_mean(values, sizes)

    def _hard(
        self,
        distance: tf.Tensor,
        pairs: tf.Tensor,
        positive: tf.Tensor,
        negative: tf.Tensor,
        weights: tf.Tensor,
    ) -> tf.Tensor:
        infinity = tf.constant(float("inf"), distance.dtype)
        farthest = _first(tf.where(positive, -distance, infinity))
        nearest = _first(tf.where(negative, distance, infinity))
        usable = tf.reduce_any(positive, -1) & tf.reduce_any(negative, -1)
        values = triplet(
            _pick(distance, farthest), _pick(distance, nearest), self.margin
        )
        negative_weights = tf.broadcast_to(weights[..., None, :], tf.shape(pairs))
        sizes = _pick(pairs, farthest) * _pick(negative_weights, nearest)
        return weighted_mean(values, tf.where(usable[..., None], sizes, 0.0))

    def _all(
        self,
        distance: tf.Tensor,
        pairs: tf.Tensor,
        positive: tf.Tensor,
        negative: tf.Tensor,
        weights: tf.Tensor,
    ) -> tf.Tensor:
        negatives, sizes, _ = _sorted_negatives(distance, negative, weights)
        reach = distance + self.margin
        within = tf.searchsorted(negatives, reach, side="left")
        # Of all negatives within reach, `Σ w (reach − d)` is two running sums. Large
        # distances would cancel in them: what counts is how much farther than the
        # nearest, in float64.
        nearest = tf.stop_gradient(negatives[..., :1])
        nearest = tf.where(tf.math.is_finite(nearest), nearest, 0.0)
        reach, farther, wide = (
            tf.cast(values, tf.float64)
            for values in (reach - nearest, negatives - nearest, sizes)
        )
        moments = _running(wide * tf.where(sizes > 0, farther, 0.0))
        costs = _pick(_running(wide), within) * reach - _pick(moments, within)
        costs = tf.cast(costs, distance.dtype)
        pairs = tf.where(positive, pairs, 0.0)
        return tf.math.divide_no_nan(
            tf.reduce_sum(pairs * costs),
            tf.reduce_sum(pairs * tf.reduce_sum(sizes, axis=-1, keepdims=True)),
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "margin": self.margin,
            "mining": self.mining,
        }


def _sorted_negatives(
    distance: tf.Tensor, negative: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of each anchor, its negatives from the nearest on.

    Returns:
        Their distances, `(..., rows, rows)`, infinite behind the last; their
        weights, 0 behind the last; and their number, `(..., rows, 1)` int32.
    """
    infinity = tf.constant(float("inf"), distance.dtype)
    masked = tf.where(negative, distance, infinity)
    order = tf.argsort(masked, axis=-1)
    sizes = tf.where(negative, weights[..., None, :], 0.0)
    counts = tf.reduce_sum(tf.cast(negative, tf.int32), axis=-1, keepdims=True)
    return _pick(masked, order), _pick(sizes, order), counts


def _first(values: tf.Tensor) -> tf.Tensor:
    """Index of the smallest value of the last axis, which stays with length 1."""
    # A batch without rows has no smallest; `argmin` would refuse it.
    return tf.argsort(values, axis=-1)[..., :1]


def _running(values: tf.Tensor) -> tf.Tensor:
    """Sums of the first 0, 1, ..., all values of the last axis."""
    sums = tf.cumsum(values, axis=-1)
    return tf.concat([tf.zeros_like(sums[..., :1]), sums], axis=-1)


def _pick(values: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Values of the last axis by their index, row by row."""
    return tf.gather(values, indices, batch_dims=values.shape.rank - 1)
