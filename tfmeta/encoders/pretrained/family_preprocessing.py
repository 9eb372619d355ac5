"""What each family of `keras.applications` wants done to pixels first."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras
import tensorflow as tf


def family_of(application: type | Any) -> str:
    """Name of the module in `keras.applications` that a backbone is from."""
    return application.__module__.rpartition(".")[2]


@keras.saving.register_keras_serializable(package="tfmeta")
class FamilyPreprocessing(keras.layers.Layer):
    """The `preprocess_input` of a family of `keras.applications`, as a layer.

    Call it on RGB pictures `(batch, height, width, 3)` of raw pixels, 0 to 255.
    Families whose models preprocess by themselves leave pictures as they are.

    Args:
        family: A module of `keras.applications`, e.g. `"resnet50"`.
        **kwargs: `name` and others of `keras.layers.Layer`.

    Raises:
        ValueError: When there is no such family.

    Example:

    ```python
    FamilyPreprocessing("mobilenet_v2")(255 * np.ones((1, 2, 2, 3)))  # ones
    ```
    """

    takes_raw_pixels = True

    def __init__(self, family: str, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        module = vars(keras.applications).get(family)
        if not isinstance(module, ModuleType) or not hasattr(
            module, "preprocess_input"
        ):
            raise ValueError(
                "`family` must be a module of keras.applications that has a "
                f"`preprocess_input`. Received: {family!r}"
            )
        self.family = family
        self._preprocess = module.preprocess_input

    def call(self, pictures: tf.Tensor) -> tf.Tensor:
        """The pictures as the family's models take them."""
        return self._preprocess(pictures, data_format="channels_last")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple:
        """The same shape."""
        return shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "family": self.family}
