"""An encoder of few, standardised numbers: what small networks are trained on."""

from __future__ import annotations

import keras
import numpy as np

from tfmeta.encoders.stacked import stacked

# Components of less of the largest deviation are noise of rounding.
_LEAST = 1e-6


def principal_components(
    features: np.ndarray, components: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """The principal components of features, in units of their deviations.

    Args:
        features: `(examples, features)`, at least two, finite.
        components: How many, at most those that there are.

    Returns:
        A matrix `(features, components)` and a bias `(components,)`, float32: features
        times the one plus the other have mean 0, variance 1 and no correlation.

    Raises:
        ValueError: When features are not finite, or all the same.
    """
    rows = np.asarray(features, np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise ValueError(
            "`features` must be finite numbers of at least 2 examples. Received: shape "
            f"{rows.shape}"
        )
    mean = rows.mean(axis=0)
    centred = rows - mean
    # The covariance is as large as the features, whatever the number of examples.
    values, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    order = np.argsort(-values)[:components]
    deviations = np.sqrt(np.maximum(values[order], 0))
    kept = deviations > _LEAST * max(float(deviations[0]), _LEAST)
    if not kept.any():
        raise ValueError("`features` must differ. Received: the same for all examples")
    matrix = axes[:, order[kept]] / deviations[kept]
    return matrix.astype(np.float32), (-mean @ matrix).astype(np.float32)


def reduced_encoder(
    encoder: keras.Model, matrix: np.ndarray, bias: np.ndarray
) -> keras.Model:
    """The encoder, and behind it the principal components of what it gives.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of vectors.
        matrix: As `principal_components` gives it of such vectors.
        bias: Likewise.

    Returns:
        A frozen model of the same inputs.
    """
    projection = keras.layers.Dense(
        matrix.shape[1], name="principal_components", dtype="float32"
    )
    projection.build((None, matrix.shape[0]))
    projection.set_weights([matrix, bias])
    model = stacked(encoder, projection, name="reduced_encoder")
    model.trainable = False
    return model
