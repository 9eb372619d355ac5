"""An encoder of numbers of any scale."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.layers import Standardization


def standardized(
    encoder: keras.Model | None, examples: Any, *, name: str | None = None
) -> keras.Sequential:
    """An encoder behind the mean and deviation of some examples, channel by channel.

    So it does not matter in which units a channel is. The examples are those of
    training classes: what is saved with the encoder is then nothing that a test would
    have to hide.

    Args:
        encoder: A model from `(batch, *example)` of floats, or `None` for the numbers
            as they are but for their scale.
        examples: `(examples, ..., channels)`, finite real numbers, as of
            `tfmeta.layers.Standardization.of`.
        name: Name of the model; by default `"standardized"`, and that of the encoder.

    Returns:
        A `keras.Sequential` from examples to what the encoder gives.

    Raises:
        ValueError: As `tfmeta.layers.Standardization.of`.

    Example:

    ```python
    train = tfmeta.datasets.load("features.npz", split="train")
    encoder = standardized(tfmeta.encoders.MLP(train.example_shape), train.examples)
    ```
    """
    layer = Standardization.of(examples, name="standardization")
    dtype = "float64" if layer.needs_float64 else "float32"
    behind = [] if encoder is None else [encoder]
    usual = "standardized" + "".join(f"_{model.name}" for model in behind)
    inputs = keras.Input(tuple(examples.shape[1:]), dtype=dtype)
    return keras.Sequential([inputs, layer, *behind], name=name or usual)
