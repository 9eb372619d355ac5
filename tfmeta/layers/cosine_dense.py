"""A classifier that looks at directions alone."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers.sphere import unit_vectors


@keras.saving.register_keras_serializable(package="tfmeta")
class CosineDense(keras.layers.Layer):
    """The cosine of the angle to a learned direction for each unit, times a gain.

    A dense layer without offset whose inputs are scaled to length 1 and whose
    weights are normalized as by Salimans and Kingma (2016), *Weight
    Normalization*: the direction and the length of each unit's weights are two
    variables. This is the classifier of Baseline++ (Chen et al., 2019, *A Closer
    Look at Few-shot Classification*).

    Args:
        units: Number of outputs.
        scale: What every output is multiplied by. The gains start at 1, so a
            softmax over the outputs can at first be no sharper than this allows.
        kernel_initializer: Of the directions, whose lengths matter for the pace
            of training alone.

    Raises:
        ValueError: When `units` or `scale` is not above 0.

    Call arguments:
        inputs: `(..., features)`.

    Returns:
        `(..., units)`: `scale * gain * cosine`. A vector of zeros has cosine 0.

    Example:

    ```python
    keras.Sequential([encoder, CosineDense(64, scale=2.0)])
    ```
    """

    def __init__(
        self,
        units: int,
        scale: float = 1.0,
        kernel_initializer: str | keras.Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("units", units), ("scale", scale)):
            if not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received: {name}={value}")
        self.units = units
        self.scale = float(scale)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple) -> None:
        """Makes the directions and the gains."""
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.gain = self.add_weight(
            shape=(self.units,), initializer="ones", name="gain"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Scaled cosines."""
        inputs = unit_vectors(inputs)
        directions = unit_vectors(tf.convert_to_tensor(self.kernel), axis=0)
        return self.scale * self.gain * tf.matmul(inputs, directions)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the input with `units` for the features."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
