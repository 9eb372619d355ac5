"""One way to load what tfmeta wrote: learners, runs, galleries and SavedModels."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

# Registers what files hold: learners with their rules, encoders, distances, losses.
import tfmeta.encoders
import tfmeta.learners
import tfmeta.losses  # noqa: F401
from tfmeta.classifying.saved_model import newest_version, read_description
from tfmeta.gallery import is_gallery
from tfmeta.gallery.gallery import Gallery
from tfmeta.model_files import load_saved_model
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

_ACCEPTED = (
    "a .keras file, the folder of a run or a gallery, or that of a SavedModel or of "
    "its versions"
)


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A SavedModel, as a server has it.

    Attributes:
        path: Its version folder.
        signatures: Functions of named tensors that give a dict of tensors, by name:
            `classify`, and what else `tfmeta.export.save` lists.
        description: What `tfmeta.json` says of it: learner, example, signatures with
            shapes and dtypes.
        model: What TensorFlow loaded; signatures need its variables.

    Example:

    ```python
    served = tfmeta.load("runs/glyphs-seed0/saved_model")
    answer = served.signatures["classify"](
        support=support, support_labels=support_labels, query=query
    )
    answer["probabilities"]  # (queries, ways)
    ```
    """

    path: Path
    signatures: Mapping[str, Callable[..., dict[str, tf.Tensor]]]
    description: dict[str, Any]
    model: Any = dataclasses.field(repr=False)


def load(path: str | os.PathLike[str], *, compile: bool = True) -> Any:
    """Loads a learner, a run, a gallery or a SavedModel by what is at a path.

    | `path` | gives |
    |---|---|
    | a `.keras` file | the learner, or whatever model of Keras it holds |
    | the folder of a run, as `tfmeta train` writes it | its trained learner |
    | the folder of a gallery | a `tfmeta.Gallery` |
    | a SavedModel of `tfmeta.export.save`, or the folder of its versions, of which the newest is taken | a `ServedModel` |

    The classes of tfmeta are found by themselves; a learner of your own must have
    been imported, or be named by its module in a run. A `.keras` file is loaded in safe
    mode. TensorFlow runs what a SavedModel holds: load those alone that you trust.

    Args:
        path: The file or folder.
        compile: Whether a learner from a file is compiled as it was when it was saved.

    Raises:
        FileNotFoundError: When nothing is there, or the run is not trained yet.
        ValueError: When it is something else, damaged, from a newer tfmeta, or holds
            classes that have not been imported.

    Example:

    ```python
    learner.save("glyphs.keras")
    learner = tfmeta.load("glyphs.keras")
    ```
    """  # noqa: E501
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"`path` must be {_ACCEPTED}. Received: {str(path)!r}, where nothing is"
        )
    if path.is_file() or (path / "metadata.json").is_file():
        return _keras_model(path, compile)
    if is_gallery(path):
        return Gallery(path)
    if (path / "saved_model.pb").is_file():
        return _served_model(path)
    folder = RunFolder(path)
    if folder.config_file.is_file():
        return load_learner(folder)
    newest = newest_version(path)
    if newest is None:
        raise ValueError(
            f"`path` must be {_ACCEPTED}. Received: {str(path)!r}, a folder that is "
            "none of these"
        )
    return _served_model(newest)


def _keras_model(path: Path, compile: bool) -> keras.Model:
    if path.name.endswith(".weights.h5"):
        raise ValueError(
            f"`path` must be {_ACCEPTED}. Received: {str(path)!r}, weights alone; make "
            "the learner and write learner.load_weights(path)"
        )
    if path.is_file() and (path.suffix != ".keras" or not zipfile.is_zipfile(path)):
        received = "a damaged file" if path.suffix == ".keras" else "another file"
        raise ValueError(
            f"`path` must be {_ACCEPTED}. Received: {str(path)!r}, {received}"
        )
    try:
        return keras.saving.load_model(path, compile=compile, safe_mode=True)
    # What Keras raises on damaged and hostile files is of many types, and ends in the
    # whole configuration.
    except Exception as error:
        reason = _first_words(error).partition(" Full object config")[0]
        raise ValueError(
            f"{path} must hold a model of tfmeta, of Keras or of classes that are "
            "imported, and load in safe mode; with a loss or metric that is not "
            f"imported, write tfmeta.load(path, compile=False). Received: {reason}"
        ) from error


def _served_model(path: Path) -> ServedModel:
    description = read_description(path)
    try:
        model = load_saved_model(path)
    # As above, of TensorFlow.
    except Exception as error:
        raise ValueError(
            f"{path} must be a whole SavedModel. Received: one that cannot be loaded "
            f"({_first_words(error)}); write another by tfmeta.export.save"
        ) from error
    return ServedModel(path, dict(model.signatures), description, model)


def _first_words(error: Exception) -> str:
    """Its type and first line, a page at most."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:400]
