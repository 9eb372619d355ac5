"""Encoders whose second derivatives are right on TensorFlow."""

from __future__ import annotations

import warnings

import keras

from tfmeta.layers import BatchNormalization

# What was found wrong, of the layers of Keras 3.15 on TensorFlow 2.21. The tests hold
# every layer of both lists against central differences in float64, and those that
# are right, too.
HALF_PRECISION = ("bfloat16", "float16")
MAX_POOLING = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)


def prepare_encoder(encoder: keras.Model, *, first_order: bool) -> keras.Model:
    """The encoder to use in an inner loop.

    - `keras.layers.BatchNormalization` becomes `tfmeta.layers.BatchNormalization`.
      Keras' layer stops a gradient inside its variance: nothing changes to first
      order, but the meta-gradient of MAML is off by 19 % with one inner step and by
      46 % with five. In first order, too, the inner loop has to choose the
      statistics, which only the package's layer lets it.
    - Where second order is asked for, layers that compute in half precision become
      such that compute in float32: in bfloat16 the meta-gradient was off by 18 % with
      one inner step and by 47 % with five.

    The encoder is then a copy with the same weights, and a warning says so.

    Args:
        encoder: A built encoder.
        first_order: Whether gradients of the inner loop are constants to the outer.

    Returns:
        The encoder itself where nothing is to be mended.

    Raises:
        ValueError: When such a layer cannot be replaced: a batch normalization that
            is `synchronized` or has `renorm`, or one inside a subclassed model.

    Example:

    ```python
    encoder = prepare_encoder(encoder, first_order=False)
    ```
    """
    layers = encoder._flatten_layers(include_self=False, recursive=True)
    wrong = [layer for layer in layers if _is_wrong(layer, first_order)]
    if not wrong:
        return encoder
    copy = _mended(encoder, first_order)
    copy.set_weights(encoder.get_weights())
    names = ", ".join(f"{layer.name} ({_reason(layer)})" for layer in wrong)
    warnings.warn(
        f"The encoder {encoder.name!r} is replaced by a copy with other layers in the "
        f"place of {names}. The learner trains its own `encoder`, not yours",
        stacklevel=4,
    )
    return copy


def check_jit_compile(encoder: keras.Model, *, first_order: bool) -> None:
    """Refuses XLA where it makes second derivatives wrong.

    Under XLA the gradient of the gradient of maximum pooling was off by 0.4 % in
    float32; in float64 it does not compile.

    Raises:
        ValueError: Names the layer.
    """
    if first_order:
        return
    for layer in encoder._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, MAX_POOLING):
            raise ValueError(
                "`jit_compile` must be False, or `first_order` True, for an encoder "
                "with maximum pooling, whose second derivatives are wrong under XLA. "
                f"Received: jit_compile=True, layer {layer.name!r} "
                f"({type(layer).__name__})"
            )


def _is_wrong(layer: keras.Layer, first_order: bool) -> bool:
    return _is_stock_batch_normalization(layer) or (
        not first_order and layer.compute_dtype in HALF_PRECISION
    )


def _is_stock_batch_normalization(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and not isinstance(
        layer, BatchNormalization
    )


def _reason(layer: keras.Layer) -> str:
    if _is_stock_batch_normalization(layer):
        return "keras.layers.BatchNormalization, wrong to second order"
    return f"{layer.compute_dtype}, too coarse for second derivatives"


def _mended(encoder: keras.Model, first_order: bool) -> keras.Model:
    def replace(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.Model):
            return _mended(layer, first_order)
        kind = type(layer)
        config = layer.get_config()
        if _is_stock_batch_normalization(layer):
            kind = BatchNormalization
            if config.get("synchronized") or config.get("renorm"):
                raise ValueError(
                    "`encoder` must not have a synchronized or renormalizing batch "
                    "normalization, which has no right second derivatives. Received: "
                    f"layer {layer.name!r}"
                )
            config.pop("renorm_clipping", None)
            config.pop("renorm_momentum", None)
        if not first_order and layer.compute_dtype in HALF_PRECISION:
            config["dtype"] = layer.variable_dtype
        copy = kind.from_config(config)
        copy.trainable = layer.trainable
        return copy

    functional = isinstance(encoder, keras.Sequential) or hasattr(encoder, "operations")
    if not functional:
        raise ValueError(
            "`encoder` must be a functional or sequential model for its layers to be "
            "replaced by such that have right second derivatives: use "
            "tfmeta.layers.BatchNormalization and float32 in it. Received: "
            f"{encoder.name!r}, a {type(encoder).__name__}"
        )
    return keras.models.clone_model(encoder, clone_function=replace)
