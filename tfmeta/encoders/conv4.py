"""Conv4, the four-block convolutional encoder of few-shot learning."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfmeta.layers import BatchNormalization
from tfmeta.seeds import spawn_seeds


def Conv4(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    filters: int = 64,
    blocks: int = 4,
    pooled_blocks: int | None = None,
    downsampling: str = "max_pooling",
    flatten: bool = True,
    rescale: float | None = 1 / 255,
    seed: int | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "conv4",
) -> keras.Model:
    """Builds the convolutional encoder of Vinyals et al.

    Each block is a 3 × 3 convolution, batch normalization, a rectifier and a
    2 × 2 maximum pooling; what is left of the picture is flattened. With the
    defaults a 28 × 28 picture becomes a vector of 64 numbers, an 84 × 84
    picture one of 1,600. With `pooled_blocks=2` and `flatten=False` they become
    maps of 7 × 7 × 64 and 21 × 21 × 64, the form that Relation Networks compare.

    `downsampling="strides"` leaves the poolings out and lets the convolutions take
    every second pixel, as Finn et al. and Nichol et al. do on Omniglot. Such an
    encoder needs about a quarter of the operations.

    The convolutions have no bias: the batch normalization behind them
    subtracts the mean, so a bias would cancel, and its own offset takes that
    part. It is `tfmeta.layers.BatchNormalization`, right to second order.

    A batch without pictures gives no embeddings and changes no statistics,
    under `jit_compile=True` or at inference in a plain `tf.function`. Elsewhere
    oneDNN stands in the way on a CPU: its convolution gives an empty batch the
    wrong number of channels, which raises, and its gradient of the pooling ends
    the process (tensorflow#126128).

    Args:
        input_shape: Height, width and channels of a picture.
        filters: Filters of every convolution.
        blocks: Number of blocks.
        pooled_blocks: How many of them, the first ones, halve the picture;
            `None` for all. With poolings, the shorter side must be at least
            `2 ** pooled_blocks` pixels.
        downsampling: What halves it: `"max_pooling"` behind the block, which drops
            an odd last row or column, or `"strides"` of its convolution, which
            keeps it.
        flatten: Whether an embedding is a vector; otherwise it is what the last
            block gives, a map.
        rescale: What a pixel is multiplied by first; the default takes
            pictures in [0, 255] to [0, 1]. `None` leaves pixels as they are.
        seed: Seed of the kernels (Glorot uniform); every convolution gets its
            own stream from it. `None` for others at every call.
        dtype: Dtype or dtype policy of all layers, e.g. `"mixed_bfloat16"`; by
            default Keras' global policy.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from pictures of shape `(batch, height,
        width, channels)`, floating-point or integer, to embeddings in the
        policy's compute dtype, float32 by default. Their shape is `(batch, h, w,
        filters)`, flattened `(batch, h * w * filters)`, where `h` is `height /
        2**pooled_blocks`, rounded down with poolings and up with strides, and `w`
        likewise.

    Raises:
        ValueError: When `input_shape` is not three positive numbers, the
            picture is too small for the blocks, `filters` or `blocks` is not
            positive, `pooled_blocks` is not from 0 to `blocks`, or `downsampling`
            is neither of the two.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4((84, 84, 3))
    encoder(np.zeros((5, 84, 84, 3), "uint8")).shape  # (5, 1600)
    ```

    References:
        Oriol Vinyals, Charles Blundell, Timothy Lillicrap, Koray Kavukcuoglu
        and Daan Wierstra, 2016, Matching Networks for One Shot Learning.

        Chelsea Finn, Pieter Abbeel and Sergey Levine, 2017, Model-Agnostic
        Meta-Learning for Fast Adaptation of Deep Networks (strides).

        Alex Nichol, Joshua Achiam and John Schulman, 2018, On First-Order
        Meta-Learning Algorithms (strides).
    """
    input_shape = tuple(input_shape)
    if len(input_shape) != 3 or not all(size and size > 0 for size in input_shape):
        raise ValueError(
            "`input_shape` must be (height, width, channels), three positive "
            f"numbers. Received: {input_shape}"
        )
    for argument, value in (("filters", filters), ("blocks", blocks)):
        if value < 1:
            raise ValueError(f"`{argument}` must be at least 1. Received: {value}")
    pooled = blocks if pooled_blocks is None else pooled_blocks
    if not 0 <= pooled <= blocks:
        raise ValueError(
            f"`pooled_blocks` must be from 0 to the number of blocks, {blocks}. "
            f"Received: pooled_blocks={pooled_blocks}"
        )
    if downsampling not in ("max_pooling", "strides"):
        raise ValueError(
            "`downsampling` must be 'max_pooling' or 'strides'. Received: "
            f"downsampling={downsampling!r}"
        )
    strided = pooled if downsampling == "strides" else 0
    if not strided and min(input_shape[:2]) < 2**pooled:
        raise ValueError(
            f"`input_shape` must be at least {2**pooled} pixels high and wide, "
            f"because each of the {pooled} pooled blocks halves the picture. "
            f"Received: {input_shape}"
        )
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    # The pictures keep the variables' dtype: under a mixed policy, rescaling
    # rounds them once instead of twice.
    inputs = keras.Input(input_shape, dtype=policy.variable_dtype, name="images")
    x = inputs
    if rescale is not None:
        x = keras.layers.Rescaling(rescale, dtype=policy, name="rescaling")(x)
    for block, kernel_seed in enumerate(spawn_seeds(seed, blocks), start=1):
        x = keras.layers.Conv2D(
            filters,
            3,
            strides=2 if block <= strided else 1,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(kernel_seed),
            dtype=policy,
            name=f"convolution_{block}",
        )(x)
        x = BatchNormalization(
            momentum=0.9, dtype=policy, name=f"batch_normalization_{block}"
        )(x)
        x = keras.layers.ReLU(dtype=policy, name=f"relu_{block}")(x)
        if strided < block <= pooled:
            x = keras.layers.MaxPooling2D(
                2,
                data_format="channels_last",
                dtype=policy,
                name=f"max_pooling_{block}",
            )(x)
    if flatten:
        x = keras.layers.Flatten(
            data_format="channels_last", dtype=policy, name="embedding"
        )(x)
    return keras.Model(inputs, x, name=name)
