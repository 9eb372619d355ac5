"""The fully convolutional network for time series."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfmeta.layers import BatchNormalization
from tfmeta.seeds import spawn_seeds

# Length of each convolution's kernel, and filters as a multiple of the first's.
_CONVOLUTIONS = ((8, 1), (5, 2), (3, 1))


def SeriesFCN(
    input_shape: Sequence[int | None],
    *,
    filters: int = 128,
    seed: int | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "series_fcn",
) -> keras.Model:
    """Builds the fully convolutional network of Wang, Yan and Oates, for series.

    Three one-dimensional convolutions over 8, 5 and 3 steps, with 128, 256 and 128
    filters, each with batch normalization and a rectifier, and the mean of the last
    over all steps. So it does not matter when something happens in a series, and a
    series may have any number of steps.

    The convolutions have no bias, as in `Conv4`: batch normalization stands behind
    each, `tfmeta.layers.BatchNormalization`, right to second order.

    Args:
        input_shape: Steps, or `None` for any number, and channels.
        filters: Filters of the first and the last convolution, the length of the
            embedding; the second has twice as many.
        seed: Seed of the kernels (Glorot uniform); every convolution gets its own
            stream from it. `None` for others at every call.
        dtype: Dtype or dtype policy of all layers; by default Keras' global policy.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from series `(batch, steps, channels)` to
        embeddings `(batch, filters)` in the policy's compute dtype, float32 by
        default.

    Raises:
        ValueError: When `input_shape` is not steps and channels, or `filters` is not
            positive.

    Example:

    ```python
    encoder = tfmeta.encoders.SeriesFCN((64, 3))
    encoder(np.zeros((5, 64, 3))).shape  # (5, 128)
    ```

    Reference: Z. Wang, W. Yan and T. Oates (2017), *Time Series Classification from
    Scratch with Deep Neural Networks: A Strong Baseline*, IJCNN.
    """
    input_shape = tuple(input_shape)
    if len(input_shape) != 2 or not input_shape[1] or 0 in input_shape:
        raise ValueError(
            "`input_shape` must be (steps, channels), positive numbers, or None for "
            f"any number of steps. Received: {input_shape}"
        )
    if filters < 1:
        raise ValueError(f"`filters` must be at least 1. Received: {filters}")
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    inputs = keras.Input(input_shape, dtype=policy.variable_dtype, name="series")
    x = inputs
    seeds = spawn_seeds(seed, len(_CONVOLUTIONS))
    for number, ((length, multiple), kernel_seed) in enumerate(
        zip(_CONVOLUTIONS, seeds, strict=True), start=1
    ):
        x = keras.layers.Conv1D(
            multiple * filters,
            length,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(kernel_seed),
            dtype=policy,
            name=f"convolution_{number}",
        )(x)
        x = BatchNormalization(
            momentum=0.9, dtype=policy, name=f"batch_normalization_{number}"
        )(x)
        x = keras.layers.ReLU(dtype=policy, name=f"relu_{number}")(x)
    x = keras.layers.GlobalAveragePooling1D(
        data_format="channels_last", dtype=policy, name="embedding"
    )(x)
    return keras.Model(inputs, x, name=name)
