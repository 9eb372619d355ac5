"""The end of a pre-trained encoder: its features, and what it learned them from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfmeta")
class PretrainedFeatures(keras.layers.Layer):
    """Gives features in float32, and carries the name of the data behind them.

    Under a mixed policy features leave the half precision of the network here: what
    compares them needs the digits. The name stays with the encoder wherever it is
    saved.

    Args:
        data: Name of the data that the network was pre-trained on, e.g. `"imagenet"`;
            `None` where nobody knows, or where there was none.
        **kwargs: `name` and others of `keras.layers.Layer`.

    Raises:
        TypeError: When `data` is neither a name nor `None`.

    Example:

    ```python
    outputs = PretrainedFeatures("imagenet")(pooled)
    pretraining_data(keras.Model(inputs, outputs))  # "imagenet"
    ```
    """

    def __init__(self, data: str | None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if data is not None and not isinstance(data, str):
            raise TypeError(f"`data` must be a name or None. Received: {data!r}")
        self.data = data

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """The features in float32."""
        return tf.cast(features, self.compute_dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple:
        """The same shape."""
        return shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "data": self.data}


def pretraining_data(encoder: keras.Model | None) -> str | None:
    """Name of the data that an encoder was pre-trained on.

    Args:
        encoder: Any Keras model or layer; models inside it are looked through.

    Returns:
        The name, several joined by `"+"`, e.g. `"imagenet"`; `None` for an encoder
        that declares none.

    Example:

    ```python
    pretraining_data(tfmeta.encoders.pretrained("efficientnet_lite0"))  # "imagenet"
    pretraining_data(tfmeta.encoders.Conv4())  # None
    ```
    """
    names = {
        layer.data
        for layer in _all_layers(encoder)
        if isinstance(layer, PretrainedFeatures) and layer.data is not None
    }
    return "+".join(sorted(names)) or None


def _all_layers(layer: Any) -> Iterator[Any]:
    if isinstance(layer, keras.layers.Layer):
        yield from layer._flatten_layers(include_self=True, recursive=True)
