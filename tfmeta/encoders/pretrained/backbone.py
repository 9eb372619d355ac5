"""A pre-trained network inside an encoder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfmeta")
class Backbone(keras.layers.Wrapper):
    """Runs a model in inference mode as long as it is frozen.

    Keras itself would run its dropout and its stochastic depth when the model around it
    is trained, although none of its weights is.

    Args:
        layer: A built `keras.Model` from one tensor to one.
        **kwargs: `name`, `trainable` and others of `keras.layers.Layer`.

    Example:

    ```python
    inside = keras.applications.EfficientNetB0(include_top=False, weights=None)
    Backbone(inside, trainable=False)(pictures, training=True)  # as training=False
    ```
    """

    def __init__(self, layer: keras.Model, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if not self.trainable:
            layer.trainable = False

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """What the model gives."""
        if self.trainable or tf.distribute.has_strategy():
            return self.layer(inputs, training=bool(training) and self.trainable)
        return self._frozen(tf.cast(inputs, self._taken.dtype))

    @functools.cached_property
    def _taken(self) -> tf.TensorSpec:
        taken = self.layer.inputs[0]
        shape, dtype = taken.shape, taken.dtype
        is_float = tf.as_dtype(dtype).is_floating
        return tf.TensorSpec(shape, self.compute_dtype if is_float else dtype)

    @functools.cached_property
    def _frozen(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The model in inference mode, traced once.

        Whoever exports it traces every signature twice, and these are large graphs.
        """
        function = tf.function(
            lambda inputs: self.layer(inputs, training=False), autograph=False
        )
        # In no graph of a caller, which may be gone when the next one comes.
        with tf.init_scope():
            return function.get_concrete_function(self._taken)

    def compute_output_spec(
        self, inputs: keras.KerasTensor, training: bool | None = None
    ) -> keras.KerasTensor:
        """Shape and dtype of what it gives."""
        return self.layer.compute_output_spec(inputs)
