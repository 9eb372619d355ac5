"""A linear map of features, to be trained behind an encoder that is not."""

from __future__ import annotations

import math

import keras

from tfmeta.layers import Sphere
from tfmeta.seeds import spawn_seeds


def Projection(
    features: int,
    *,
    units: int | None = None,
    gain: float = 8.0,
    noise: float = 0.0,
    seed: int | None = None,
    name: str = "projection",
) -> keras.Model:
    """Builds a linear map of features of unit length.

    Before the first step it keeps the angles between features: with `units=None` as
    they are, by the identity, with others nearly, by random directions at right
    angles. So a learner begins where the features alone take it, and does not have to
    find again what they hold. Features of unit length are what nearest class means
    do best on (Wang, Chao, Weinberger and van der Maaten, 2019, *SimpleShot:
    Revisiting Nearest-Neighbor Classification for Few-Shot Learning*).

    Args:
        features: Length of a feature vector.
        units: Length of what is made of it, `None` for the same.
        gain: Length of a projected vector before the first step. Squared distances
            of unit vectors lie within [0, 4], too close for a softmax to tell them
            apart.
        noise: Standard deviation of what is added to each number of the unit vectors
            in training. Where there are few of them, such as one for each class, it
            keeps the map from learning them by heart: of a linear map, it is a
            penalty on the square of its weights (Bishop, 1995, *Training with Noise is
            Equivalent to Tikhonov Regularization*).
        seed: Seed of the directions and of the noise, `None` for others at every
            call.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, features)` to `(batch, units)`.

    Raises:
        ValueError: When a length or the gain is not positive, or the noise is
            negative.

    Example:

    ```python
    encoder = tfmeta.encoders.Projection(1280, units=64)
    encoder(np.ones((5, 1280))).shape  # (5, 64)
    ```
    """
    units = features if units is None else units
    if min(features, units) < 1 or not gain > 0:
        raise ValueError(
            "`features`, `units` and `gain` must be positive. Received: "
            f"features={features}, units={units}, gain={gain}"
        )
    if not 0 <= noise < math.inf:
        raise ValueError(f"`noise` must be a number from 0 on. Received: noise={noise}")
    kernel_seed, noise_seed = spawn_seeds(seed, 2)
    initializer: keras.Initializer
    if units == features:
        initializer = keras.initializers.Identity(gain)
    else:
        initializer = keras.initializers.Orthogonal(gain, kernel_seed)
    inputs = keras.Input((features,))
    x = Sphere(1.0, name="unit_length")(inputs)
    if noise:
        x = keras.layers.GaussianNoise(noise, seed=noise_seed, name="noise")(x)
    x = keras.layers.Dense(units, kernel_initializer=initializer, name="projection")(x)
    return keras.Model(inputs, x, name=name)
