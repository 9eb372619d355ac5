"""A multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfmeta.seeds import spawn_seeds


def MLP(
    input_shape: Sequence[int],
    *,
    units: Sequence[int] = (40, 40),
    activation: str = "relu",
    seed: int | None = None,
    name: str = "mlp",
) -> keras.Model:
    """Builds a perceptron of dense layers, for vectors.

    The defaults are the two hidden layers that Finn et al. (2017) regress sine waves
    with; the linear head of a learner comes behind them.

    Args:
        input_shape: Shape of an example; it is flattened.
        units: Width of every layer.
        activation: Activation of every layer.
        seed: Seed of the kernels (Glorot uniform), `None` for others at every call.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch,
        units[-1])`.

    Raises:
        ValueError: When there is no layer, or one without units.

    Example:

    ```python
    encoder = tfmeta.encoders.MLP((1,))
    encoder(np.zeros((5, 1))).shape  # (5, 40)
    ```
    """
    units = tuple(units)
    if not units or min(units) < 1:
        raise ValueError(
            f"`units` must be positive widths, one for each layer. Received: {units}"
        )
    inputs = keras.Input(tuple(input_shape))
    x = keras.layers.Flatten()(inputs)
    seeds = spawn_seeds(seed, len(units))
    for number, (width, kernel_seed) in enumerate(
        zip(units, seeds, strict=True), start=1
    ):
        x = keras.layers.Dense(
            width,
            activation,
            kernel_initializer=keras.initializers.GlorotUniform(kernel_seed),
            name=f"dense_{number}",
        )(x)
    return keras.Model(inputs, x, name=name)
