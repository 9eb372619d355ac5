"""The pictures of a task in the form that a run's SavedModel takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.classifying.inversion import (
    BY_REQUEST,
    NOTHING,
    Inversion,
    decide_inversion,
)
from tfmeta.classifying.saved_model import read_description
from tfmeta.classifying.task import Task
from tfmeta.datasets.own.picture_files import PictureForm, read_in_form
from tfmeta.datasets.reading.ground import Ground, ground_of, invert_pictures
from tfmeta.datasets.reading.pictures import (
    ACCEPTED_PICTURE,
    PictureKind,
    UnreadablePicture,
    picture_kind,
    read_picture,
)
from tfmeta.datasets.reading.unreadable import (
    find_unreadable,
    left_out,
    refuse_unreadable,
)

# In pixels; no encoder takes more, and all pictures of a task are held at once.
_LONGEST_SIDE = 2**13


@dataclasses.dataclass(frozen=True)
class RunPictures:
    """A task read from folders.

    Attributes:
        task: The files that were read, and their classes.
        support: Uint8 or uint16 `(support, height, width, channels)`, as the
            model takes it.
        query: Likewise, `(queries, height, width, channels)`.
        warnings: What the user should know of the pictures.
        notes: What was done to them on request.
        inverted: Whether light and dark were exchanged.
    """

    task: Task[Path]
    support: np.ndarray
    query: np.ndarray
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    inverted: bool = False


def read_for_run(
    model_folder: Path,
    task: Task[Path],
    *,
    invert: str = "auto",
    skip_bad: bool = False,
) -> RunPictures:
    """Reads a task in the form that the SavedModel takes.

    Args:
        model_folder: Version folder of a SavedModel with its `tfmeta.json`.
        task: The files.
        invert: `"yes"` or `"no"` for support and queries, or `"auto"`: invert
            both when the ground of all these pictures is clearly light and that
            of the training data dark, or the other way round
            (`tfmeta.datasets.reading.ground`). Never for colours.
        skip_bad: Whether pictures that cannot be read are left out.

    Raises:
        FileNotFoundError: When the SavedModel does not describe itself.
        ValueError: When it takes no pictures, or pictures cannot be read; names them
            all.

    Example:

    ```python
    task = find_picture_task(Path("my_classes"), Path("new_images"))
    pictures = read_for_run(find_saved_model(Path("runs/glyphs-seed0")), task)
    ```
    """
    about = read_description(model_folder)
    form = picture_form(model_folder, about["example"])
    task, pictures, skipped = _read(task, form, skip_bad=skip_bad)
    paths = [*task.support, *task.query]
    kinds = [picture_kind(path) for path in paths]
    shots = len(task.support)
    done = NOTHING
    if invert == "yes":
        done = BY_REQUEST
    elif invert == "auto":
        light_ground = about.get("description", {}).get("light_ground")
        done = _decided(light_ground, form, paths, kinds, pictures, shots)
    if done.inverted:
        invert_pictures(pictures, out=pictures)
    warnings = [
        *skipped,
        *_unlike(kinds, form),
        *([done.warning] if done.warning else []),
    ]
    return RunPictures(
        task=task,
        support=pictures[:shots],
        query=pictures[shots:],
        warnings=tuple(warnings),
        notes=(done.note,) if done.note else (),
        inverted=done.inverted,
    )


def picture_form(model_folder: Path, example: Mapping[str, Any]) -> PictureForm:
    """The form of pictures that a SavedModel takes.

    Args:
        model_folder: Its version folder, for the message.
        example: What its `tfmeta.json` says of an example.

    Raises:
        ValueError: When it takes no pictures of a fixed size.
    """
    shape, dtype = example["shape"], example["dtype"]
    if len(shape) == 2 and dtype == "uint8":
        # Grey pictures without an axis of channels; `ask_saved_model` drops it.
        shape = [*shape, 1]
    if (
        len(shape) != 3
        or any(side is None or not 0 < side <= _LONGEST_SIDE for side in shape)
        or shape[2] not in (1, 3)
        or dtype not in ("uint8", "uint16")
    ):
        raise ValueError(
            f"{model_folder} must take uint8 pictures (or uint16) of a fixed size and "
            f"of 1 or 3 channels. Received: one for {dtype:.20} examples of shape "
            f"{shape[:5]}"
        )
    return PictureForm((shape[0], shape[1]), shape[2], dtype)


def _read(
    task: Task[Path], form: PictureForm, *, skip_bad: bool
) -> tuple[Task[Path], np.ndarray, list[str]]:
    """What can be read of a task, support first, and a warning of what cannot."""
    files = [*task.support, *task.query]
    try:
        return task, read_in_form(files, form), []
    except (UnreadablePicture, OSError):
        # Only now is it worth to try them all.
        unreadable = find_unreadable(
            files,
            lambda path: read_picture(
                path, size=form.size, channels=form.channels, dtype=form.dtype
            ),
        )
        if not unreadable:
            raise
    if not skip_bad:
        refuse_unreadable(unreadable, len(files), ACCEPTED_PICTURE)
    task = task.without(unreadable)
    pictures = read_in_form([*task.support, *task.query], form)
    return task, pictures, [left_out(unreadable, len(files))]


def _decided(
    light_ground: bool | None,
    form: PictureForm,
    paths: list[Path],
    kinds: list[PictureKind],
    pictures: np.ndarray,
    shots: int,
) -> Inversion:
    """Whether to invert the task; its first `shots` pictures are the support."""
    # Exports of older versions have a ground for colours, too.
    if light_ground is None or form.channels != 1:
        return NOTHING
    grounds: dict[Path, Ground] = {}
    for path, kind, picture in zip(paths, kinds, pictures, strict=True):
        if not kind.is_grey:
            picture = read_picture(path, size=form.size, channels=3)
        grounds[path] = ground_of(picture)
    support, query = paths[:shots], paths[shots:]
    return decide_inversion(
        light_ground, {p: grounds[p] for p in support}, {p: grounds[p] for p in query}
    )


def _unlike(kinds: list[PictureKind], form: PictureForm) -> list[str]:
    """A warning when pictures are of another size or kind than trained on."""
    warnings = []
    height, width = form.size
    sizes = sorted({(k.height, k.width) for k in kinds} - {form.size})
    if sizes:
        shown = ", ".join(f"{h} x {w}" for h, w in sizes[:3])
        more = f" and {len(sizes) - 3} more sizes" if len(sizes) > 3 else ""
        warnings.append(
            f"the run was trained on pictures of {height} x {width}; these of "
            f"{shown}{more} are resized"
        )
    is_grey = form.channels == 1
    colour = sorted({k.mode for k in kinds if k.is_grey != is_grey})
    if colour:
        known = "grey" if is_grey else "colour"
        warnings.append(
            f"the run was trained on {known} pictures; these of mode "
            f"{', '.join(colour)} are converted"
        )
    return warnings
