"""No encoder at all: the pixels themselves."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def Pixels(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    flatten: bool = True,
    rescale: float | None = 1 / 255,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "pixels",
) -> keras.Model:
    """An encoder without weights, for learners that read pixels.

    Memory-augmented networks (Santoro 2016) read them as one vector, Meta Networks
    (Munkhdalai and Yu 2017) have convolutions of their own and take them as maps.

    Args:
        input_shape: Of an example: of a picture height, width and channels.
        flatten: Whether an embedding is a vector; otherwise it has the shape of the
            example.
        rescale: What a number is multiplied by; the default takes pixels in [0, 255] to
            [0, 1]. `None` leaves them as they are.
        dtype: Dtype or dtype policy of all layers; by default Keras' global policy.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)`, floating-point or
        integer, to `(batch, numbers)`, or without `flatten` to `(batch, *input_shape)`.

    Raises:
        ValueError: When `input_shape` is not of positive numbers.

    Example:

    ```python
    encoder = tfmeta.encoders.Pixels((20, 20, 1))
    encoder(np.zeros((5, 20, 20, 1), "uint8")).shape  # (5, 400)
    ```
    """
    input_shape = tuple(input_shape)
    if not input_shape or not all(size and size > 0 for size in input_shape):
        raise ValueError(
            f"`input_shape` must be of positive numbers. Received: {input_shape}"
        )
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    inputs = keras.Input(input_shape, dtype=policy.variable_dtype, name="examples")
    outputs = keras.layers.Rescaling(
        1.0 if rescale is None else rescale, dtype=policy, name="rescaling"
    )(inputs)
    if flatten:
        outputs = keras.layers.Flatten(dtype=policy, name="flatten")(outputs)
    return keras.Model(inputs, outputs, name=name)
