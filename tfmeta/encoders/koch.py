"""The convolutional network of Koch's Siamese networks."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfmeta.seeds import spawn_seeds

# Side of each convolution's kernel, filters as a multiple of the first's, and
# whether a pooling follows.
_CONVOLUTIONS = ((10, 1, True), (7, 2, True), (4, 2, True), (4, 4, False))


def KochConvNet(
    input_shape: Sequence[int] = (105, 105, 1),
    *,
    filters: int = 64,
    features: int = 4096,
    convolution_l2: float = 2e-4,
    dense_l2: float = 1e-3,
    kernel_stddev: float = 0.01,
    dense_stddev: float = 0.2,
    rescale: float | None = 1 / 255,
    seed: int | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "koch_conv_net",
) -> keras.Model:
    """Builds the encoder of Koch, Zemel and Salakhutdinov.

    Four convolutions without padding, of 64 filters of 10 × 10, 128 of 7 × 7, 128
    of 4 × 4 and 256 of 4 × 4, each with a rectifier, the first three followed by a
    2 × 2 maximum pooling; then one layer of 4,096 sigmoid units. A drawing of
    Omniglot, 105 × 105, is 6 × 6 × 256 = 9,216 numbers before that layer.

    Weights begin as in the paper: kernels normal with standard deviation 0.01, those
    of the dense layer 0.2, all biases normal around 0.5 with 0.01. The paper chose
    its L2 regularization per layer in [0, 0.1] by a search and does not say what it
    found; the defaults here are a choice of ours. They are part of the
    loss: with the paper's dense layer, whose 38 million weights begin far from 0,
    most of it.

    Args:
        input_shape: Height, width and channels of a picture, at least 65 × 65.
        filters: Filters of the first convolution; the others have 2, 2 and 4 times
            as many.
        features: Units of the dense layer, the length of the embedding.
        convolution_l2: L2 regularization of the convolutions' kernels.
        dense_l2: That of the dense layer's.
        kernel_stddev: Standard deviation that the convolutions' kernels begin with.
        dense_stddev: That of the dense layer's.
        rescale: What a pixel is multiplied by first; the default takes pictures in
            [0, 255] to [0, 1]. `None` leaves pixels as they are.
        seed: Seed of all weights; every array gets its own stream from it. `None`
            for others at every call.
        dtype: Dtype or dtype policy of all layers, e.g. `"mixed_bfloat16"`; by
            default Keras' global policy.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from pictures `(batch, height, width, channels)`,
        floating-point or integer, to embeddings `(batch, features)` between 0 and 1
        in the policy's compute dtype, float32 by default.

    Raises:
        ValueError: When an argument is out of range, or pictures are too small for
            the four convolutions.

    Example:

    ```python
    encoder = tfmeta.encoders.KochConvNet()
    drawings = tfmeta.datasets.load("omniglot", split="test", size=105).examples[:8]
    encoder(drawings).shape  # (8, 4096)
    ```

    Reference: G. Koch, R. Zemel and R. Salakhutdinov (2015), *Siamese Neural
    Networks for One-shot Image Recognition*, ICML Deep Learning Workshop.
    """
    input_shape = tuple(input_shape)
    _check(input_shape, filters, features)
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    seeds = iter(spawn_seeds(seed, 2 * len(_CONVOLUTIONS) + 2))

    def normal(mean: float, stddev: float) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(mean, stddev, seed=next(seeds))

    # As for Conv4, a mixed policy rounds pictures once, after rescaling.
    inputs = keras.Input(input_shape, dtype=policy.variable_dtype, name="images")
    x = inputs
    if rescale is not None:
        x = keras.layers.Rescaling(rescale, dtype=policy, name="rescaling")(x)
    for number, (side, multiple, pooled) in enumerate(_CONVOLUTIONS, start=1):
        x = keras.layers.Conv2D(
            multiple * filters,
            side,
            activation="relu",
            data_format="channels_last",
            kernel_initializer=normal(0.0, kernel_stddev),
            bias_initializer=normal(0.5, 0.01),
            kernel_regularizer=keras.regularizers.L2(convolution_l2),
            dtype=policy,
            name=f"convolution_{number}",
        )(x)
        if pooled:
            x = keras.layers.MaxPooling2D(
                2,
                data_format="channels_last",
                dtype=policy,
                name=f"max_pooling_{number}",
            )(x)
    x = keras.layers.Flatten(
        data_format="channels_last", dtype=policy, name="flattening"
    )(x)
    outputs = keras.layers.Dense(
        features,
        "sigmoid",
        kernel_initializer=normal(0.0, dense_stddev),
        bias_initializer=normal(0.5, 0.01),
        kernel_regularizer=keras.regularizers.L2(dense_l2),
        dtype=policy,
        name="embedding",
    )(x)
    return keras.Model(inputs, outputs, name=name)


def _check(input_shape: tuple[int, ...], filters: int, features: int) -> None:
    if len(input_shape) != 3 or not all(size and size > 0 for size in input_shape):
        raise ValueError(
            "`input_shape` must be (height, width, channels), three positive "
            f"numbers. Received: {input_shape}"
        )
    for argument, value in (("filters", filters), ("features", features)):
        if value < 1:
            raise ValueError(f"`{argument}` must be at least 1. Received: {value}")
    least = 1
    for side, _, pooled in reversed(_CONVOLUTIONS):
        least = least * (2 if pooled else 1) + side - 1
    if min(input_shape[:2]) < least:
        raise ValueError(
            f"`input_shape` must be at least {least} pixels high and wide, or the four "
            "convolutions, which have no padding, leave nothing; the paper's pictures "
            f"are 105 x 105. Received: {input_shape}"
        )
