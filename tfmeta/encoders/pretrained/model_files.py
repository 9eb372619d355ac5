"""Encoders from model files: `.keras`, and folders of a SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfmeta.encoders.pretrained.features import pretraining_data
from tfmeta.encoders.pretrained.frozen_graph import FrozenGraph
from tfmeta.encoders.pretrained.network import Network
from tfmeta.model_files import check_model_file, first_line, load_saved_model

# `tfmeta.export.save` writes the first two: floats are not rounded to bytes.
_PREFERRED = ("embed_float", "embed", "serving_default")


def is_saved_model(path: Path) -> bool:
    """Whether a folder holds a SavedModel."""
    return (path / "saved_model.pb").is_file()


def keras_network(path: Path, size: int | None) -> Network:
    """The network in a `.keras` file, which is loaded in safe mode.

    Args:
        path: The file.
        size: Height and width to bring pictures to, where the model leaves them free;
            `None` for what it says.

    Raises:
        ValueError: When the file cannot be loaded, holds more than
            `tfmeta.model_files.most_bytes`, or the model does not go from one tensor to
            one; names the file.
    """
    try:
        check_model_file(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # What Keras raises on damaged and hostile files is of many types.
    except Exception as error:
        raise ValueError(
            f"`name` must be a whole .keras file that loads in safe mode. Received: "
            f"{str(path)!r}, and {first_line(error)}"
        ) from error
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if len(inputs or ()) != 1 or len(outputs or ()) != 1:
        raise ValueError(
            "`name` must be the file of a functional or sequential model with one "
            f"input and one output, an encoder. Received: {str(path)!r}, a "
            f"{type(model).__name__}"
        )
    data = pretraining_data(model)
    return Network(model, None, _size_of(model, size, path), data)


def saved_model_network(path: Path, size: int | None) -> Network:
    """The network of a SavedModel's signature `embed`, or of its default one.

    TensorFlow runs what a SavedModel holds while it is loaded: name those alone that
    you trust. What becomes of it is a `FrozenGraph`, which others can load safely.

    Args:
        path: The folder.
        size: As of `keras_network`.

    Raises:
        ValueError: When it cannot be loaded, has no such signature, or one that does
            not go from one tensor to one; names the folder.
    """
    try:
        # Variables live as long as what they were loaded into.
        loaded = load_saved_model(path)
        signatures = loaded.signatures
        name = next(n for n in (*_PREFERRED, *signatures) if n in signatures)
        signature = signatures[name]
        layer = FrozenGraph.of(signature, name="graph")
    except StopIteration:
        raise ValueError(
            f"`name` must be a SavedModel with a signature. Received: {str(path)!r}, "
            "which has none"
        ) from None
    except Exception as error:
        raise ValueError(
            "`name` must be a SavedModel whose signature goes from one tensor to one. "
            f"Received: {str(path)!r}, and {first_line(error)}"
        ) from error
    (given,) = [v for v in signature.inputs if v.dtype != tf.resource]
    inputs = keras.Input(
        given.shape[1:],
        dtype="string" if given.dtype == tf.string else "float32",
        name="examples",
    )
    model = keras.Model(inputs, layer(inputs), name=_name_of(path))
    return Network(model, None, _size_of(model, size, path), None)


def _name_of(path: Path) -> str:
    """The name of a SavedModel's folder, which may be a number below it."""
    path = path.resolve()
    name = path.parent.name if path.name.isdecimal() else path.name
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name) or "model"


def _size_of(model: Any, size: int | None, path: Path) -> int | None:
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4:
        if size is not None:
            raise ValueError(
                "`size` must be None for an encoder that takes no pictures. Received: "
                f"size={size}, and {str(path)!r} takes {shape}"
            )
        return None
    height, width = shape[1:3]
    if height != width:
        raise ValueError(
            "`name` must be an encoder of square pictures, or of pictures of any "
            f"size. Received: {str(path)!r}, which takes {shape}"
        )
    if None not in (height, size) and height != size:
        raise ValueError(
            f"`size` must be {height}, what the encoder takes. Received: size={size}, "
            f"and {str(path)!r}"
        )
    return height or size
