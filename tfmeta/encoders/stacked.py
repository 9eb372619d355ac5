"""Models one behind the other."""

from __future__ import annotations

import keras


def stacked(
    first: keras.Model, *behind: keras.layers.Layer, name: str | None = None
) -> keras.Sequential:
    """Layers behind an encoder, from what the encoder takes.

    A `keras.Sequential` of models alone takes floats, whatever the first one takes:
    with an encoder of texts it could not be saved or served.

    Args:
        first: A built model of one input.
        *behind: What its output goes through.
        name: Name of the model.

    Example:

    ```python
    stacked(tfmeta.encoders.pretrained("wordllama"), keras.layers.Dense(8))
    ```
    """
    (start,) = first.inputs
    inputs = keras.Input(tuple(start.shape[1:]), dtype=start.dtype)
    return keras.Sequential([inputs, first, *behind], name=name)
