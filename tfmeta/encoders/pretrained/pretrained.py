"""Encoders that somebody else has trained, by name."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras

from tfmeta.encoders.pretrained.backbone import Backbone
from tfmeta.encoders.pretrained.efficientnet_lite import VARIANTS
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.encoders.pretrained.lite import lite_network
from tfmeta.encoders.pretrained.sources import Network
from tfmeta.layers import ResizedPictures, RGBPictures


def pretrained(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = "pretrained",
    input_shape: Sequence[int | None] = (None, None, 3),
    size: int | None = None,
    trainable: bool = False,
) -> keras.Model:
    """Builds an encoder on a network that somebody else has trained."""
    network = _network(name, weights, size)
    return _encoder(network, input_shape, trainable)


def _network(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    size: int | None,
) -> Network:
    if name in VARIANTS:
        return lite_network(str(name), weights, size)
    raise ValueError(f"`name` must be one of {', '.join(VARIANTS)}. Received: {name!r}")


def _encoder(
    network: Network, input_shape: Sequence[int | None], trainable: bool
) -> keras.Model:
    policy = keras.config.dtype_policy()
    images = keras.Input(tuple(input_shape), dtype=policy.variable_dtype, name="images")
    x = RGBPictures(name="rgb")(images)
    if network.size is not None:
        x = ResizedPictures(network.size, name="resized")(x)
    if network.preprocessing is not None:
        x = network.preprocessing(x)
    x = Backbone(network.model, trainable=trainable, name="backbone")(x)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pooling")(x)
    features = PretrainedFeatures(network.data, name="features")(x)
    return keras.Model(images, features, name=network.model.name)
