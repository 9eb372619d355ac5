"""What is served, by what is at a path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfmeta.classifying.saved_model import newest_version
from tfmeta.gallery import is_gallery
from tfmeta.printable import shell_word
from tfmeta.runs.run_folder import RunFolder
from tfmeta.serving.batching import MicroBatcher
from tfmeta.serving.example_form import Example
from tfmeta.serving.gallery_model import GalleryModel
from tfmeta.serving.model import Model
from tfmeta.serving.refusals import Refusal
from tfmeta.serving.saved_model import SavedModel
from tfmeta.serving.versions import CurrentModel


def open_model(
    path: Path,
    batcher: MicroBatcher,
    *,
    on_load: Callable[[bool], None] | None = None,
) -> CurrentModel:
    """Loads what is to be served.

    | `path` | what answers | a newer version |
    |---|---|---|
    | a gallery | what is enrolled in it | is each change of it |
    | a run | its newest SavedModel | is one that `tfmeta export` adds |
    | the folder of a SavedModel's versions | the newest one | is a higher number |
    | one version folder | that version | does not come |

    Args:
        path: The folder.
        batcher: Joins requests.
        on_load: As of `CurrentModel`.

    Raises:
        FileNotFoundError: When it is none of these, or a run without a SavedModel.
        ValueError: When it is damaged.
        OSError: When it cannot be read.
    """
    path = path.expanduser().resolve()
    if is_gallery(path):
        return CurrentModel(GalleryModel(path, path.name, batcher))
    if (path / "saved_model.pb").is_file():
        numbered = path.name.isdecimal()
        name = path.parent.name if numbered else path.name
        return CurrentModel(_loaded(path, name, batcher))
    versions = path
    if (path / "config.json").is_file():
        versions = RunFolder(path).saved_model
    newest = newest_version(versions)
    if newest is None:
        if versions != path:
            RunFolder(path).check_has_learner()
            raise FileNotFoundError(
                f"{versions} must hold a SavedModel. Received: none; write one with "
                f"`tfmeta export {shell_word(path)}`"
            )
        raise FileNotFoundError(
            f"{path} must be the folder of a run, of a gallery, or of a SavedModel or "
            "its versions. Received: a folder that is none of these"
        )

    def load(version: Path) -> Model:
        return _loaded(version, path.name, batcher)

    return CurrentModel(load(newest), versions=versions, load=load, on_load=on_load)


def _loaded(path: Path, name: str, batcher: MicroBatcher) -> SavedModel:
    """A SavedModel that has answered once, which takes longer than later."""
    model = SavedModel(path, name, batcher)
    for signature, form in model.signatures.items():
        given = form.inputs.get("examples")
        if not form.batchable or form.files or given is None:
            continue
        if given.dtype == "string":
            examples = np.array([b"a"], object)
        elif None in given.shape[1:]:
            continue
        else:
            shape = [1, *(size for size in given.shape[1:] if size is not None)]
            examples = np.zeros(shape, given.dtype)
        asyncio.run(model.call(signature, {"examples": examples}))
    _try_task(model)
    return model


def _try_task(model: SavedModel) -> None:
    """Asks for a task of two classes, where examples are of one size."""
    if model.support is None or model.queries.kind != model.support.kind:
        return
    shape = [size for size in model.queries.shape if size is not None]
    if len(shape) < len(model.queries.shape):
        return
    trial: list[Example] = ["a", "b"]
    if model.queries.kind != "text":
        trial = [np.full(shape, number, model.queries.dtype) for number in (0, 1)]
    # One that refuses it may take others.
    with contextlib.suppress(ValueError, tf.errors.OpError, Refusal):
        asyncio.run(model.classify_task({"a": trial[:1], "b": trial[1:]}, trial, 1))
