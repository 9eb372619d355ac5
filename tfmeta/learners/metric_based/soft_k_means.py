"""How much of every unlabelled example belongs to every class.

The three forms of soft k-means of Ren, Triantafillou, Ravi, Snell, Swersky,
Tenenbaum, Larochelle and Zemel (2018), *Meta-Learning for Semi-Supervised Few-Shot
Classification*.
"""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from tfmeta.distances import SquaredEuclidean
from tfmeta.seeds import spawn_seeds

_INITIAL_LENGTH_SCALE = 100.0
_HIDDEN = 20
_STATISTICS = 5


class SoftKMeans(keras.layers.Layer):
    """Memberships by a softmax over negative squared distances.

        z_{j,c} = softmax_c(−‖x_j − p_c‖²)

    A layer holds what a form learns; this one learns nothing.

    Args:
        seed: Seed of the weights, in the forms that have random ones.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(self, seed: int = 0, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self._add_weights(seed)
        self.built = True

    def _add_weights(self, seed: int) -> None:
        """Makes what the form learns."""

    def memberships(
        self,
        prototypes: tf.Tensor,
        present: tf.Tensor,
        unlabelled: tf.Tensor,
        is_real: tf.Tensor,
    ) -> tf.Tensor:
        """The share of each class in each unlabelled example.

        Args:
            prototypes: `(tasks, ways, features)`.
            present: `(tasks, ways)` bool: which ways have support.
            unlabelled: `(tasks, unlabelled, features)`, embeddings in the dtype
                of the prototypes.
            is_real: `(tasks, unlabelled)` bool, False is padding.

        Returns:
            `(tasks, unlabelled, ways)`, from 0 to 1; 0 for absent ways and for
            padding.
        """
        shares = self._shares(prototypes, present, unlabelled, is_real)
        return tf.where(is_real[:, :, None] & present[:, None, :], shares, 0.0)

    def _shares(
        self,
        prototypes: tf.Tensor,
        present: tf.Tensor,
        unlabelled: tf.Tensor,
        is_real: tf.Tensor,
    ) -> tf.Tensor:
        """As `memberships`, with anything for absent ways and padding."""
        return _softmax_over(-SquaredEuclidean()(unlabelled, prototypes), present)


class SoftKMeansWithDistractor(SoftKMeans):
    """Memberships beside one more cluster, which takes what is of no class.

    The cluster of the distractors lies at the origin, and its length scale `r` is
    learned; that of the classes is 1:

        z_{j,c} = softmax_c(−‖x_j − p_c‖² / r_c² − A(r_c)),
        A(r) = ½ log 2π + log r

    The length scale begins at 100, as in the authors' code, which however divides
    by `2r²` and lets the cluster drift from the origin in further steps; the
    equations are the paper's.
    """

    def _add_weights(self, seed: int) -> None:
        start = keras.initializers.Constant(math.log(_INITIAL_LENGTH_SCALE))
        self.log_length_scale = self.add_weight((), start, name="log_length_scale")

    def _shares(
        self,
        prototypes: tf.Tensor,
        present: tf.Tensor,
        unlabelled: tf.Tensor,
        is_real: tf.Tensor,
    ) -> tf.Tensor:
        # ½ log 2π is in every logit, so it cancels, and A(1) with it.
        log_scale = tf.cast(self.log_length_scale, unlabelled.dtype)
        length = tf.reduce_sum(tf.square(unlabelled), axis=-1, keepdims=True)
        distractor = -length * tf.exp(-2.0 * log_scale) - log_scale
        classes = -SquaredEuclidean()(unlabelled, prototypes)
        logits = tf.concat([classes, distractor], axis=-1)
        always = tf.ones_like(present[:, :1])
        shares = _softmax_over(logits, tf.concat([present, always], axis=-1))
        return shares[..., :-1]


class MaskedSoftKMeans(SoftKMeans):
    """Memberships that a learned mask takes back where an example is too far away.

    With distances `d_{j,c} = ‖x_j − p_c‖²` over the `M` unlabelled examples:

        d̃_{j,c} = d_{j,c} / (1/M Σ_j d_{j,c})
        [β_c, γ_c] = MLP(min_j d̃, max_j d̃, var_j d̃, skew_j d̃, kurt_j d̃)
        m_{j,c} = σ(−γ_c (d̃_{j,c} − β_c))

    and the membership is `m_{j,c}` times that of soft k-means. As in the authors'
    code the network has 20 hidden units with tanh, its two outputs are the
    logarithms of the threshold `β` and the slope `γ`, which so begin near 1, and
    kurtosis is that in excess of a normal distribution's. Statistics are those of
    the current step, and gradients flow through them.
    """

    def _add_weights(self, seed: int) -> None:
        # Small numbers: the threshold begins at the mean distance.
        first, second = (
            keras.initializers.RandomNormal(stddev=0.01, seed=child)
            for child in spawn_seeds(seed, 2, stream="masked_soft_k_means")
        )
        self.hidden_kernel = self.add_weight(
            (_STATISTICS, _HIDDEN), first, name="hidden_kernel"
        )
        self.hidden_bias = self.add_weight((_HIDDEN,), "zeros", name="hidden_bias")
        self.kernel = self.add_weight((_HIDDEN, 2), second, name="kernel")
        self.bias = self.add_weight((2,), "zeros", name="bias")

    def _shares(
        self,
        prototypes: tf.Tensor,
        present: tf.Tensor,
        unlabelled: tf.Tensor,
        is_real: tf.Tensor,
    ) -> tf.Tensor:
        distances = SquaredEuclidean()(unlabelled, prototypes)
        is_real = is_real[:, :, None]
        average = _mean(distances, is_real)
        normalized = distances / tf.where(tf.not_equal(average, 0.0), average, 1.0)
        threshold, slope = self._threshold_and_slope(_statistics(normalized, is_real))
        mask = tf.sigmoid(-slope * (normalized - threshold))
        return mask * _softmax_over(-distances, present)

    def _threshold_and_slope(self, statistics: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Both `(tasks, 1, ways)`, above 0."""
        hidden_kernel, hidden_bias, kernel, bias = (
            tf.cast(weight, statistics.dtype)
            for weight in (self.hidden_kernel, self.hidden_bias, self.kernel, self.bias)
        )
        hidden = tf.tanh(
            tf.einsum("twi,ih->twh", statistics, hidden_kernel) + hidden_bias
        )
        outputs = tf.exp(tf.einsum("twh,ho->two", hidden, kernel) + bias)
        return outputs[:, None, :, 0], outputs[:, None, :, 1]


def _softmax_over(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """The softmax over the clusters that are present."""
    logits = tf.where(present[:, None, :], logits, logits.dtype.min)
    # `tf.nn.softmax` on a CPU gives 0 to all others where one is NaN.
    return tf.exp(tf.nn.log_softmax(logits))


def _mean(values: tf.Tensor, is_real: tf.Tensor) -> tf.Tensor:
    """The mean over real rows, `(tasks, 1, ways)`; 0 where there is none."""
    real = tf.cast(is_real, values.dtype)
    count = tf.maximum(tf.reduce_sum(real, axis=1, keepdims=True), 1.0)
    values = tf.where(is_real, values, 0.0)
    return tf.reduce_sum(values, axis=1, keepdims=True) / count


def _statistics(values: tf.Tensor, is_real: tf.Tensor) -> tf.Tensor:
    """Least, largest, variance, skewness and excess kurtosis: `(tasks, ways, 5)`.

    Skewness is 0 and excess kurtosis -3 where all values are equal, as they are
    where there is one.
    """
    any_real = tf.reduce_any(is_real, axis=1, keepdims=True)
    least, largest = (
        tf.where(
            any_real,
            reduce(tf.where(is_real, values, bound), axis=1, keepdims=True),
            0.0,
        )
        for reduce, bound in (
            (tf.reduce_min, values.dtype.max),
            (tf.reduce_max, values.dtype.min),
        )
    )
    centred = values - _mean(values, is_real)
    variance = _mean(tf.square(centred), is_real)
    # Values that differ by rounding alone have no shape.
    alike = variance <= np.finfo(values.dtype.as_numpy_dtype).eps
    none = tf.zeros_like(variance)
    divisor = tf.where(alike, tf.ones_like(variance), variance)
    third, fourth = (_mean(centred**power, is_real) for power in (3, 4))
    skewness = tf.where(alike, none, third / divisor**1.5)
    kurtosis = tf.where(alike, none, fourth / divisor**2) - 3.0
    return tf.stack(
        [s[:, 0] for s in (least, largest, variance, skewness, kurtosis)], -1
    )
