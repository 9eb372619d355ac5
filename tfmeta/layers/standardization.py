"""Numbers of any scale, brought to mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# So many bytes of examples are looked at together.
_BLOCK = 2**24
# Deviations that a channel may lie from 0 before float32 loses what is in it.
_FAR = 2**10
# float32 holds their whole numbers, and none of the others.
_NARROW = ("bool", "int8", "int16", "uint8", "uint16", "float16", "bfloat16", "float32")


@keras.saving.register_keras_serializable(package="tfmeta")
class Standardization(keras.layers.Layer):
    """Subtracts the mean of every channel and divides by its standard deviation.

    Beside `keras.layers.Normalization`: deviations may be of any size (that layer
    takes 1e-7 for all below), a channel that is constant stays finite when another
    value comes, and where a channel lies far from 0, such as a time in seconds since
    1970, float64 and long integers are subtracted before they are rounded to float32.

    Args:
        mean: The mean of each channel, the last axis.
        deviation: The standard deviation of each, above 0.

    Raises:
        ValueError: When they are not of one length, not finite, or a deviation is not
            above 0.

    Call arguments:
        inputs: Numbers `(..., channels)`.

    Returns:
        The same shape in the layer's compute dtype.

    Example:

    ```python
    layer = Standardization.of(np.array([[0.0, 5.0], [2e9, 5.0]]))
    layer(np.array([[2e9, 5.0]]))  # [[1, 0]]
    ```
    """

    def __init__(
        self, mean: Sequence[float], deviation: Sequence[float], **kwargs: Any
    ) -> None:
        # The dtype in which numbers come says whether they have been rounded.
        super().__init__(**{**kwargs, "autocast": False})
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]
        finite = np.isfinite([*self.mean, *self.deviation]).all()
        if (
            len(self.mean) != len(self.deviation)
            or not finite
            or not all(value > 0 for value in self.deviation)
        ):
            raise ValueError(
                "`mean` and `deviation` must be finite numbers, one for each channel, "
                f"deviations above 0. Received: {len(self.mean)} means and "
                f"{len(self.deviation)} deviations, {mean} and {deviation}"
            )

    @classmethod
    def of(cls, examples: Any, **kwargs: Any) -> Standardization:
        """The layer that brings examples to mean 0 and deviation 1.

        Args:
            examples: Finite real numbers `(examples, ..., channels)`, an array or what
                is cut into arrays as one, such as a memory map.
            **kwargs: Of a Keras layer.

        Raises:
            ValueError: When numbers are so large that their squares are infinite.
        """
        mean, deviation = _moments(examples)
        return cls(mean.tolist(), deviation.tolist(), **kwargs)

    @property
    def needs_float64(self) -> bool:
        """Whether a channel lies so far from 0 that float32 would lose it."""
        pairs = zip(self.mean, self.deviation, strict=True)
        return any(abs(mean) > _FAR * deviation for mean, deviation in pairs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Standardised numbers."""
        narrow = inputs.dtype.name in _NARROW
        wide = tf.float32 if narrow or not self.needs_float64 else tf.float64
        mean, deviation = (
            np.asarray(values, wide.as_numpy_dtype)
            for values in (self.mean, self.deviation)
        )
        return tf.cast((tf.cast(inputs, wide) - mean) / deviation, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """The shape of the input, in the compute dtype."""
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = super().get_config()
        return {**config, "mean": self.mean, "deviation": self.deviation}


def _moments(examples: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, in float64 and two passes."""
    channels = examples.shape[-1]
    size = max(1, _BLOCK // max(1, np.asarray(examples[:1]).nbytes))

    def mean_of(function: Any) -> np.ndarray:
        total, count = np.zeros(channels), 0
        for start in range(0, len(examples), size):
            block = np.asarray(examples[start : start + size], np.float64)
            rows = function(block.reshape(-1, channels))
            total += rows.sum(axis=0)
            count += len(rows)
        return total / count

    with np.errstate(over="ignore", invalid="ignore"):
        mean = mean_of(lambda rows: rows)
        deviation = np.sqrt(mean_of(lambda rows: np.square(rows - mean)))
    largest = np.finfo(np.float32).max
    if not (np.isfinite(deviation).all() and (np.abs(mean) < largest).all()):
        raise ValueError(
            "examples must be numbers whose mean and variance are finite. Received: "
            f"others in {np.count_nonzero(~np.isfinite(deviation)):,} of {channels:,} "
            "channels"
        )
    # What is constant says nothing, and stays as far as it is from its mean.
    rounding = np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(deviation > rounding, deviation, 1.0)
