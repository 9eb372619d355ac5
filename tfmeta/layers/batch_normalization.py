"""Batch normalization that is right to second order, and fast."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.batch_statistics import Moments, active_statistics

_FUSED_DTYPES = (tf.float32, tf.bfloat16, tf.float16)


@keras.saving.register_keras_serializable(package="tfmeta")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization whose gradient can itself be differentiated.

    A drop-in for `keras.layers.BatchNormalization`: same weights, same
    configuration, same outputs, same first derivatives. Two things differ.

    *Second derivatives are right.* On TensorFlow, Keras' layer calls
    `tf.nn.moments`, which stops the gradient of the mean inside the variance.
    First derivatives do not notice, since the stopped term is zero; second
    derivatives lose it silently, and with them every learner that
    differentiates through its own gradient steps (MAML, learned learning
    rates, gradient penalties).

    *It is faster in training*, by the fused kernel.

    In training one of two formulas computes the batch statistics:

    - fused, for inputs of rank 4 with the channels last, in float32, bfloat16
      or float16, without a mask. Statistics are float32. Exact to second
      order; TensorFlow's third derivative of this kernel is not.
    - composite, for everything else: float64, other ranks, another `axis`,
      masks. Exact to every order.

    Otherwise (`training=False`, or `trainable=False` as in Keras) the moving
    statistics make it one multiplication and one addition.

    The moving statistics follow Keras: `moving * momentum + batch * (1 -
    momentum)`, with the population variance. No gradient flows through their
    update. A batch without rows (or one that the mask hides altogether) leaves
    them as they are, where Keras' layer would turn them into NaN.

    `tfmeta.layers.batch_statistics` chooses other statistics from outside, for an
    inner loop.

    Under a `tf.distribute` strategy each replica normalizes with the statistics
    of its own part of the batch and keeps its own moving statistics; those of
    the first replica are the ones that are saved. That, too, is as in Keras.

    Args:
        axis: The axis of the channels.
        momentum: Momentum of the moving statistics.
        epsilon: Added to the variance.
        **kwargs: As for `keras.layers.BatchNormalization`: `center`, `scale`,
            initializers, regularizers, constraints, `name`, `dtype`. The
            arguments `synchronized` and `renorm` must be false.

    Call arguments:
        inputs: Floating-point tensor of any rank from 2.
        training: Whether to normalize with the statistics of the batch.
        mask: Boolean tensor of shape `inputs.shape[:-1]`; where it is `False`
            the inputs do not count for the statistics. A channel's mean is that
            of its unmasked values exactly (Keras' layer adds 1e-7 to their
            number).

    Input and output shape:
        Equal, `(batch, ..., channels)` for `axis=-1`. The output has the
        compute dtype of the layer.

    Raises:
        ValueError: When `synchronized` or `renorm` is asked for, or when the
            mask does not fit the inputs.

    Example:

    ```python
    encoder = keras.Sequential([
        keras.layers.Conv2D(64, 3, padding="same", use_bias=False),
        tfmeta.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
    ])
    encoder(np.random.default_rng(0).normal(size=(8, 28, 28, 1)), training=True)
    ```

    Reference:
        Sergey Ioffe and Christian Szegedy, 2015, Batch Normalization:
        Accelerating Deep Network Training by Reducing Internal Covariate Shift.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        for argument in ("synchronized", "renorm"):
            if kwargs.get(argument):
                raise ValueError(
                    f"`{argument}` must be False: this layer normalizes with the "
                    "plain statistics of each replica's own batch; "
                    "keras.layers.BatchNormalization offers others. Received: "
                    f"{argument}={kwargs[argument]}"
                )
        super().__init__(axis=axis, momentum=momentum, epsilon=epsilon, **kwargs)

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "`mask` must have one dimension less than `inputs`. Received: "
                f"mask.shape={mask.shape}, inputs.shape={inputs.shape}"
            )
        chosen = active_statistics() if self.trainable else None
        recording = chosen is not None and chosen.recording
        if chosen is not None and mask is None and chosen.rows is not None:
            rows = tf.reshape(chosen.rows, [-1] + [1] * (len(inputs.shape) - 2))
            mask = tf.broadcast_to(rows, tf.shape(inputs)[:-1])
        if chosen is not None and chosen.given is not None:
            outputs = self._normalize_with(
                inputs, *chosen.next_given(inputs.shape[self.axis])
            )
        elif not (training and self.trainable) and not (chosen and chosen.of_batch):
            outputs = self._normalize_with(
                inputs, self.moving_mean, self.moving_variance
            )
        elif (
            mask is None
            and not recording
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and inputs.dtype in _FUSED_DTYPES
        ):
            outputs = self._normalize_fused(inputs)
        else:
            outputs, moments = self._normalize_composite(inputs, mask)
            if chosen is not None and recording:
                chosen.recorded.append(moments)
        return tf.cast(outputs, self.compute_dtype)

    def _normalize_fused(self, inputs: tf.Tensor) -> tf.Tensor:
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        ones = tf.ones([inputs.shape[-1]])
        gamma, beta = self._gamma_and_beta(tf.float32)
        if gamma is not None:
            # The kernel's derivatives by gamma are NaN for an empty batch. A
            # selection keeps them away from gamma, to every order.
            gamma = tf.where(count > 0, gamma, ones)
        # The raw operation, because tf.compat.v1.nn.fused_batch_norm raises a
        # small epsilon without saying so.
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ones if gamma is None else gamma,
            offset=tf.zeros_like(ones) if beta is None else beta,
            mean=tf.constant([], tf.float32),
            variance=tf.constant([], tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance; Keras keeps the population's.
        variance *= (count - 1.0) / tf.maximum(count, 1.0)
        self._update_moving_statistics(mean, variance, count)
        return outputs

    def _normalize_composite(
        self, inputs: tf.Tensor, mask: tf.Tensor | None
    ) -> tuple[tf.Tensor, Moments]:
        inputs = _at_least_float32(inputs)
        if mask is None:
            hidden = None
            shape = tf.gather(tf.shape(inputs), self._reduction_axes)
            count = tf.cast(tf.reduce_prod(shape), inputs.dtype)
        else:
            hidden = tf.broadcast_to(
                tf.logical_not(tf.cast(mask, tf.bool))[..., tf.newaxis],
                tf.shape(inputs),
            )
            shown = tf.cast(tf.logical_not(hidden), inputs.dtype)
            count = tf.reduce_sum(shown, self._reduction_axes, keepdims=True)
        # The mean of nothing is 0 here: 0 / 0 would make the derivatives NaN.
        divisor = tf.maximum(count, 1.0)

        def mean_over_batch(values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(values, self._reduction_axes, keepdims=True) / divisor

        def unmasked(values: tf.Tensor) -> tf.Tensor:
            if hidden is None:
                return values
            return tf.where(hidden, tf.zeros_like(values), values)

        mean = mean_over_batch(unmasked(inputs))
        centred = inputs - mean
        variance = mean_over_batch(tf.square(unmasked(centred)))
        self._update_moving_statistics(
            tf.reshape(mean, [-1]), tf.reshape(variance, [-1]), tf.reshape(count, [-1])
        )
        gamma, beta = self._gamma_and_beta(inputs.dtype)
        outputs = centred * tf.math.rsqrt(variance + self.epsilon)
        if gamma is not None:
            outputs *= self._along_axis(gamma, inputs)
        if beta is not None:
            outputs += self._along_axis(beta, inputs)
        return outputs, (tf.reshape(mean, [-1]), tf.reshape(variance, [-1]))

    def _normalize_with(
        self, inputs: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor
    ) -> tf.Tensor:
        inputs = _at_least_float32(inputs)
        gamma, beta = self._gamma_and_beta(inputs.dtype)
        variance = tf.cast(variance, inputs.dtype)
        scale = tf.math.rsqrt(variance + self.epsilon)
        if gamma is not None:
            scale *= gamma
        offset = -tf.cast(mean, inputs.dtype) * scale
        if beta is not None:
            offset += beta
        scale, offset = (self._along_axis(v, inputs) for v in (scale, offset))
        return inputs * scale + offset

    def _update_moving_statistics(
        self, mean: tf.Tensor, variance: tf.Tensor, count: tf.Tensor
    ) -> None:
        """Moves the statistics of the channels that had a value in the batch."""
        chosen = active_statistics()
        if chosen is not None and chosen.of_batch:
            return
        for moving, batch in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            before = tf.cast(moving, batch.dtype)
            after = before * self.momentum + batch * (1.0 - self.momentum)
            # The fused kernel's derivative has no term for its statistics:
            # neither formula passes a gradient, so that they agree.
            moving.assign(tf.stop_gradient(tf.where(count > 0, after, before)))

    def _gamma_and_beta(
        self, dtype: tf.DType
    ) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        gamma = tf.cast(self.gamma, dtype) if self.scale else None
        beta = tf.cast(self.beta, dtype) if self.center else None
        return gamma, beta

    def _along_axis(self, vector: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Shapes a vector over the channels so that it broadcasts to `inputs`."""
        shape = [1] * len(inputs.shape)
        shape[self.axis] = -1
        return tf.reshape(vector, shape)


def _at_least_float32(inputs: tf.Tensor) -> tf.Tensor:
    """Half precision would overflow in the variance; float64 stays float64."""
    return inputs if inputs.dtype == tf.float64 else tf.cast(inputs, tf.float32)
