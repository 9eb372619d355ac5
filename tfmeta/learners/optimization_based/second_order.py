"""Encoders whose second derivatives are right on TensorFlow."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import keras
import tensorflow as tf

from tfmeta.learners.optimization_based.mended_copy import HALF_PRECISION, mended_copy
from tfmeta.learners.optimization_based.reached_layers import is_graph, reached_layers
from tfmeta.learners.optimization_based.second_order_facts import (
    HALF_PRECISION_ERRORS,
    MAX_POOLING,
    find_wrong,
)

_CUDNN = "whose cuDNN kernel has no second derivatives; now use_cudnn=False"


def prepare_encoder(encoder: keras.Model, *, first_order: bool) -> keras.Model:
    """The encoder to use in an inner loop.

    - `keras.layers.BatchNormalization` becomes `tfmeta.layers.BatchNormalization`, in
      first order, too: the inner loop chooses the statistics, which only the package's
      layer lets it. To second order Keras' layer is wrong as well: the meta-gradient
      of MAML is off by 19 % with one inner step and by 46 % with five.
    - Where second order is asked for, layers that compute in half precision become
      such that compute in float32: in bfloat16 the meta-gradient is off by 18 % or more
      with one inner step, and by 47 % or more with five.
    - Likewise, where there is a GPU, LSTM and GRU go without cuDNN, whose kernels
      have no second derivatives. In a subclassed model a warning asks for it.

    Other layers of Keras with wrong or missing second derivatives are refused where an
    inner step changes their inputs (`second_order_facts` lists them). Layers with a
    `call` of their own are taken as they are, and so are operations of `keras.ops`.

    Args:
        encoder: A built encoder.
        first_order: Whether gradients of the inner loop are constants to the outer.

    Returns:
        The encoder itself where nothing is to be mended. Otherwise, with a warning
        that names the layers, a copy: same names, shapes and weights.

    Raises:
        ValueError: When a layer is refused, and when one cannot be replaced: a batch
            normalization that is `synchronized` or has `renorm`, or one inside a model
            or a layer with a `call` of its own. Names the layer.

    Example:

    ```python
    encoder = keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
    ])
    encoder = prepare_encoder(encoder, first_order=False)  # warns
    ```
    """
    if not first_order:
        _refuse_wrong(encoder)
    mended = [
        (layer, reason)
        for layer in _all_layers(encoder)
        if (reason := _reason_to_mend(layer, first_order)) is not None
    ]
    if not mended:
        return encoder
    for layer, _ in mended:
        _check_replaceable(layer)
    if not is_graph(encoder):
        if any(reason != _CUDNN for _, reason in mended):
            raise _not_replaceable(mended[0][0], encoder)
        # Nothing would be silently wrong: TensorFlow raises where the kernel is used.
        warnings.warn(
            f"{_names(layer for layer, _ in mended)} in {encoder.name!r} may use a "
            "cuDNN kernel, which has no second derivatives: build with "
            "use_cudnn=False or unroll=True",
            UserWarning,
            stacklevel=4,
        )
        return encoder
    copy = mended_copy(encoder, first_order=first_order)
    for layer in _all_layers(copy):
        if not first_order and _uses_cudnn(layer):
            # Not in the config: whoever loads the copy prepares it again.
            layer.use_cudnn = False
        if _reason_to_mend(layer, first_order) is not None:
            raise _not_replaceable(layer, encoder)
    reasons = dict.fromkeys(reason for _, reason in mended)
    parts = [
        f"{_names(layer for layer, own in mended if own == reason)} ({reason})"
        for reason in reasons
    ]
    warnings.warn(
        f"The learner's `encoder` is a copy of {encoder.name!r} with the same weights, "
        "and training does not change yours. In the copy other layers stand in the "
        f"place of {'; '.join(parts)}",
        UserWarning,
        stacklevel=4,
    )
    return copy


def check_jit_compile(encoder: keras.Model, *, first_order: bool) -> None:
    """Refuses XLA where it makes second derivatives wrong.

    Under XLA the gradient of the gradient of maximum pooling is wrong in float32, by
    0.4 % in Conv4, and does not compile in float64. Global maximum pooling is right.

    Args:
        encoder: A built encoder.
        first_order: Whether gradients of the inner loop are constants to the outer.

    Raises:
        ValueError: Names the layer.

    Example:

    ```python
    check_jit_compile(tfmeta.encoders.Conv4(), first_order=True)
    ```
    """
    if first_order:
        return
    for layer in reached_layers(encoder):
        if isinstance(layer, MAX_POOLING):
            raise ValueError(
                "`jit_compile` must be False, or `first_order` True, for an encoder "
                "with maximum pooling, whose second derivatives are wrong under XLA; "
                "average pooling and strided convolutions are right. Received: "
                f"jit_compile=True, layer {layer.name!r} ({type(layer).__name__})"
            )


def _refuse_wrong(encoder: keras.Model) -> None:
    reached = {id(layer) for layer in reached_layers(encoder)}
    for layer in _all_layers(encoder):
        wrong = find_wrong(layer)
        if (
            wrong is None
            or _is_stock_batch_normalization(layer)
            or not (wrong.everywhere or id(layer) in reached)
        ):
            continue
        raise ValueError(
            "`encoder` must have right second derivatives where the outer loop "
            f"differentiates the inner. Those of {wrong.kind.__name__} are "
            f"{'missing' if wrong.raises else 'wrong'} on TensorFlow: {wrong.why}. "
            f"{wrong.instead}. Received: layer {layer.name!r} "
            f"({type(layer).__name__}) in {encoder.name!r}"
        )


def _reason_to_mend(layer: keras.Layer, first_order: bool) -> str | None:
    """Why a layer is replaced, for the warning; `None` when it is not."""
    if _is_stock_batch_normalization(layer):
        return (
            "keras.layers.BatchNormalization, whose second derivatives are wrong and "
            "whose statistics an inner loop cannot choose; now "
            "tfmeta.layers.BatchNormalization"
        )
    if first_order or isinstance(layer, keras.layers.InputLayer):
        return None
    if layer.compute_dtype in HALF_PRECISION:
        return (
            f"computing in {layer.compute_dtype} by the policy "
            f"{layer.dtype_policy.name}, too coarse for second derivatives: "
            "the meta-gradient of MAML with Conv4 was off by "
            f"{HALF_PRECISION_ERRORS[layer.compute_dtype]}; now float32"
        )
    if _uses_cudnn(layer):
        return _CUDNN
    return None


def _is_stock_batch_normalization(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.BatchNormalization


def _uses_cudnn(layer: keras.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.LSTM | keras.layers.GRU)
        and layer.use_cudnn is not False
        and not layer.unroll
        and bool(tf.config.list_physical_devices("GPU"))
    )


def _check_replaceable(layer: keras.Layer) -> None:
    if not _is_stock_batch_normalization(layer):
        return
    for argument in ("synchronized", "renorm"):
        if getattr(layer, argument, False):
            raise ValueError(
                f"`encoder` must not hold a batch normalization with `{argument}`, "
                "which tfmeta.layers.BatchNormalization does not have. Received: layer "
                f"{layer.name!r} with {argument}=True"
            )


def _not_replaceable(layer: keras.Layer, encoder: keras.Model) -> ValueError:
    if _is_stock_batch_normalization(layer):
        instead = "Build it with tfmeta.layers.BatchNormalization"
    elif layer.compute_dtype in HALF_PRECISION:
        instead = "Build it with dtype='float32'"
    else:
        instead = "Build it with use_cudnn=False"
    return ValueError(
        "`encoder` must be a functional or sequential model, for layers inside a "
        "`call` of your own cannot be replaced by such that an inner loop can use. "
        f"{instead}. Received: layer {layer.name!r} ({type(layer).__name__}) in "
        f"{encoder.name!r}, a {type(encoder).__name__}"
    )


def _all_layers(encoder: keras.Model) -> list[keras.Layer]:
    """The model and all its layers, outer before inner."""
    return encoder._flatten_layers(include_self=True, recursive=True)


def _names(layers: Iterable[keras.Layer]) -> str:
    return ", ".join(repr(layer.name) for layer in layers)
