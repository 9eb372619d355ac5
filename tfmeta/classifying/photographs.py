"""Features of picture files by a pre-trained encoder, and files that have none."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from tfmeta.classifying.task import Task
from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import ACCEPTED_PICTURE, UnreadablePicture
from tfmeta.datasets.reading.unreadable import (
    find_unreadable,
    left_out,
    refuse_unreadable,
)
from tfmeta.features import features_of
from tfmeta.layers import ResizedPictures

# The folder of their features: pictures come in the form that `read_photograph` gives,
# not that of tables.
KEPT_IN = "photographs"


def embed_files(
    encoder: keras.Model,
    task: Task[Path],
    *,
    skip_bad: bool,
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Task[Path], np.ndarray, list[str]]:
    """What an encoder makes of the pictures of a task.

    Args:
        encoder: From raw pixels to vectors.
        task: The task.
        skip_bad: Whether pictures that cannot be read are left out.
        cache_dir: Where features are kept, as `tfmeta.features.features_dir()`;
            `None` to keep none.
        on_progress: Called with the number of pictures done, and of all.

    Returns:
        The task, without what could not be read; float32 `(support + queries,
        features)`; and a warning of what was left out.

    Raises:
        ValueError: When pictures cannot be read and `skip_bad` is False; names all.
            When the encoder takes no pictures.
    """
    files = [*task.support, *task.query]
    features, unreadable = features_of_files(
        encoder, files, skip_bad=skip_bad, cache_dir=cache_dir, on_progress=on_progress
    )
    if not unreadable:
        return task, features, []
    return task.without(unreadable), features, [left_out(unreadable, len(files))]


def features_of_files(
    encoder: keras.Model,
    files: Sequence[Path],
    *,
    skip_bad: bool,
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, dict[Path, str]]:
    """What an encoder makes of pictures, but for those that cannot be read.

    Args:
        encoder: As of `embed_files`.
        files: The pictures.
        skip_bad: Likewise.
        cache_dir: Likewise.
        on_progress: Likewise.

    Returns:
        Float32 `(readable files, features)`, and what is wrong with the others, by
        file.

    Raises:
        ValueError: As `embed_files`.
    """
    read = photograph_reader(encoder)
    cache_dir = None if cache_dir is None else Path(cache_dir) / KEPT_IN

    def features(files: Sequence[Path]) -> np.ndarray:
        return features_of(
            encoder, files, cache_dir=cache_dir, progress=on_progress, read=read
        )

    try:
        return features(files), {}
    except (UnreadablePicture, OSError):
        unreadable = find_unreadable(files, read)
        if not unreadable:
            raise
    if not skip_bad:
        refuse_unreadable(unreadable, len(files), ACCEPTED_PICTURE)
    return features([file for file in files if file not in unreadable]), unreadable


def photograph_reader(encoder: keras.Model) -> Callable[[Path], np.ndarray]:
    """Reads a picture in the size and channels that an encoder looks at.

    Raises:
        ValueError: When the encoder takes no pictures.
    """
    size, channels = photograph_form(encoder)
    return lambda path: read_photograph(path, size=size, channels=channels)


def photograph_form(encoder: keras.Model) -> tuple[tuple[int, int], Literal[1, 3]]:
    """The size and channels that an encoder looks at.

    An encoder that takes any size and brings it to its own, as those of
    `tfmeta.encoders.pretrained` do, is given its own: so are pictures of many sizes
    encoded together, and a large one is never decoded whole.

    Raises:
        ValueError: When the encoder takes no pictures.
    """
    shape = tuple(encoder.inputs[0].shape[1:])
    if len(shape) != 3 or shape[2] not in (1, 3, None):
        raise ValueError(
            f"encoder {encoder.name!r} must take pictures (height, width, channels) of "
            f"1 or 3 channels. Received: one for examples of shape {shape}"
        )
    channels: Literal[1, 3] = 1 if shape[2] == 1 else 3
    size = (_own_size(encoder) or 224,) * 2
    if None not in shape[:2]:
        size = (shape[0], shape[1])
    return size, channels


def _own_size(encoder: keras.Model) -> int | None:
    layers: list[Any] = encoder._flatten_layers(include_self=False, recursive=True)
    sizes = [one.size for one in layers if isinstance(one, ResizedPictures)]
    return sizes[0] if sizes else None
