"""The backbones of `keras.applications`, by name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import keras

from tfmeta.encoders.pretrained.family_preprocessing import (
    FamilyPreprocessing,
    family_of,
)
from tfmeta.encoders.pretrained.network import Network

# What they were trained on, where it is not 224.
_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}
# Keras keeps these under other names than they are downloaded by.
_KEPT_AS = {
    "NASNet-mobile-no-top.h5": "nasnet_mobile_no_top.h5",
    "NASNet-large-no-top.h5": "nasnet_large_no_top.h5",
}


def application_names() -> list[str]:
    """Names of all backbones of `keras.applications`, sorted.

    Example:

    ```python
    "MobileNetV3Small" in application_names()  # True
    ```
    """
    return sorted(
        name
        for name, value in vars(keras.applications).items()
        if name[0].isupper() and callable(value)
    )


def default_size(name: str) -> int:
    """Height and width of the pictures that a backbone was trained on."""
    return _SIZES.get(name, 224)


def application_network(
    name: str, weights: str | os.PathLike[str] | None, size: int | None
) -> Network:
    """The network of a backbone, without its head.

    Args:
        name: One of `application_names()`.
        weights: `"pretrained"` or `"imagenet"` for those of ImageNet, which Keras
            downloads once; `None` for random ones, or the path of a file of them.
        size: Height and width of the pictures, `None` for what it was trained on.

    Raises:
        OSError: When weights cannot be downloaded; says which file to put where.
        ValueError: For a size that is too small, and when there is no file at
            `weights` or it is of another network.
    """
    size = size or default_size(name)
    make = getattr(keras.applications, name)
    known = weights in ("pretrained", "imagenet")
    given = "imagenet" if known else None if weights is None else os.fspath(weights)
    if not known and given is not None and not Path(given).is_file():
        raise FileNotFoundError(
            "`weights` must be 'pretrained', None or the path of a file. Received: "
            f"weights={given!r}, and no file there"
        )
    try:
        model = make(include_top=False, weights=given, input_shape=(size, size, 3))
    except ValueError as error:
        raise ValueError(
            f"`size` and `weights` must be what {name} takes. Received: size={size}, "
            f"weights={given!r}, and {error}"
        ) from error
    except Exception as error:
        raise _not_downloaded(name, error) from error
    preprocessing = FamilyPreprocessing(family_of(make), name="preprocessing")
    return Network(model, preprocessing, size, "imagenet" if known else None)


def _not_downloaded(name: str, error: Exception) -> Exception:
    """What to do where Keras' downloader finds no network; other errors as they are."""
    url = re.search(r"URL fetch failure on (\S+?): ", str(error))
    if url is None:
        return error
    file = url[1].rpartition("/")[2]
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    kept = home / "models" / _KEPT_AS.get(file, file)
    return OSError(
        f"the weights of {name} could not be downloaded: without a network, put the "
        f"file {url[1]} at {kept}. Received: {str(error).rpartition(': ')[2]}"
    )
