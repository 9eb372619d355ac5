"""What is done to the features of a frozen encoder before they are compared."""

from __future__ import annotations

from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfmeta.layers.sphere import unit_vectors

Transform = Literal["none", "l2", "centered_l2"]


class FeatureTransform(keras.layers.Layer):
    """Features as they are, of unit length, or centred and of unit length.

    UN, L2N and CL2N of Wang, Chao, Weinberger and van der Maaten (2019),
    *SimpleShot: Revisiting Nearest-Neighbor Classification for Few-Shot Learning*:

        UN: x        L2N: x / ‖x‖        CL2N: (x − m) / ‖x − m‖

    The mean `m` is that of the features of base classes, and is stored: a mean of
    the support would depend on the task, and takes from one shot a class most of
    what tells the classes apart.

    Args:
        transform: `"none"`, `"l2"` or `"centered_l2"`.
        features: Length of a vector.
        base_mean: `(features,)`; for `"centered_l2"` alone, where it may be set
            later.
        **kwargs: As for `keras.layers.Layer`.

    Raises:
        ValueError: When `transform` is none of these, or `base_mean` is no vector of
            this length, not finite, or given where nothing is centred.
    """

    def __init__(
        self,
        transform: Transform,
        features: int,
        base_mean: ArrayLike | None = None,
        **kwargs: Any,
    ) -> None:
        if transform not in get_args(Transform):
            raise ValueError(
                f"`transform` must be one of {', '.join(get_args(Transform))}. "
                f"Received: transform={transform!r}"
            )
        super().__init__(autocast=False, **kwargs)
        self.transform = transform
        self.features = features
        self.has_mean = False
        if transform == "centered_l2":
            self.mean = self.add_weight(
                (features,), "zeros", trainable=False, name="base_mean"
            )
        self.built = True
        if base_mean is not None:
            self.set_mean(base_mean)

    def set_mean(self, base_mean: ArrayLike) -> None:
        """Stores the mean of the features of base classes.

        Raises:
            ValueError: When it is not `(features,)` finite numbers, or nothing is
                centred.
        """
        if self.transform != "centered_l2":
            raise ValueError(
                "`base_mean` is for transform='centered_l2' alone. Received: a mean "
                f"with transform={self.transform!r}"
            )
        mean = np.asarray(base_mean, np.float64)
        if mean.shape != (self.features,) or not np.isfinite(mean).all():
            raise ValueError(
                f"`base_mean` must be {self.features} finite numbers, one for each "
                f"feature of `encoder`. Received: shape {mean.shape}, "
                f"{np.count_nonzero(~np.isfinite(mean))} of them not finite"
            )
        self.mean.assign(mean)
        self.has_mean = True

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Features `(..., features)`, in the dtype of the embeddings.

        Raises:
            ValueError: When there is no mean yet to centre by.
        """
        if self.transform == "none":
            return embeddings
        if self.transform == "centered_l2":
            if not self.has_mean:
                raise ValueError(
                    "`base_mean` must be given for transform='centered_l2', or found "
                    "by `fit_base_mean(...)` from examples of base classes. Received: "
                    "base_mean=None"
                )
            embeddings -= tf.cast(self.mean, embeddings.dtype)
        return unit_vectors(embeddings)

    def load_own_variables(self, store: Any) -> None:
        """Loads the mean of a file, and whether there is one."""
        super().load_own_variables(store)
        if self.transform == "centered_l2":
            mean = keras.ops.convert_to_numpy(self.mean)
            self.has_mean = self.has_mean or bool(np.any(mean))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the input."""
        return input_shape
