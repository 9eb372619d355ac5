"""From labelled picture files to a class table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.reading.ground import invert_pictures
from tfmeta.datasets.reading.pictures import (
    PictureKind,
    check_form,
    picture_kind,
    read_picture,
)

PictureDtype = Literal["uint8", "uint16"]
PictureSize = int | tuple[int, int]


@dataclasses.dataclass(frozen=True)
class PictureForm:
    """What all pictures of a table are brought into.

    Args:
        size: Height and width in pixels.
        channels: 1 for grey or 3 for red, green and blue.
        dtype: `"uint8"` or `"uint16"`.
    """

    size: tuple[int, int]
    channels: Literal[1, 3]
    dtype: PictureDtype


def common_form(
    files: Sequence[Path],
    *,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
) -> PictureForm:
    """The form that fits all pictures; what is not given is taken from them.

    Only the heads of the files are read.

    Args:
        files: The pictures, at least one.
        size: Height and width in pixels, one number for squares, or `None` when
            all have one size.
        channels: 1, 3, or `None` for 3 when one of them has colours.
        dtype: `"uint8"`, `"uint16"`, or `None` for 16 bits when one of them is
            stored in 16-bit grey.

    Returns:
        The form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file is no picture, when `size` is `None` and the sizes
            differ, and for a `size`, `channels` or `dtype` that is not accepted.

    Example:

    ```python
    common_form([Path("1.png")])  # PictureForm((28, 28), 1, 'uint8')
    ```
    """
    size = height_and_width(size)
    check_form(size, 1 if channels is None else channels)
    if dtype not in (None, "uint8", "uint16"):
        raise ValueError(
            f"`dtype` must be None, 'uint8' or 'uint16'. Received: {dtype!r}"
        )
    if size is not None and channels is not None and dtype is not None:
        return PictureForm(size, channels, dtype)
    kinds = [picture_kind(file) for file in files]
    if size is None:
        size = _only_size(files, kinds)
    if channels is None:
        channels = 1 if all(k.is_grey for k in kinds) else 3
    if dtype is None:
        dtype = "uint16" if any(k.is_wide for k in kinds) else "uint8"
    return PictureForm(size, channels, dtype)


def refuse_form(what: str, **form: object) -> None:
    """Refuses a form of pictures for what has none.

    Args:
        what: What it was given for.
        **form: `size`, `channels` and `dtype`.

    Raises:
        ValueError: When one of them is not `None`; names it.
    """
    given = {name: value for name, value in form.items() if value is not None}
    if given:
        names = " and ".join(f"`{name}`" for name in given)
        received = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(f"{names} must be left out for {what}. Received: {received}")


def height_and_width(size: PictureSize | None) -> tuple[int, int] | None:
    """Both sides of a size of which one number may stand for both."""
    return (size, size) if isinstance(size, int) else size


def read_picture_files(
    files: LabelledFiles,
    form: PictureForm,
    *,
    invert: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Reads labelled pictures into a table.

    Args:
        files: The pictures and their classes.
        form: What they are brought into.
        invert: Whether to turn dark on light into light on dark.
        on_progress: Called with the number of pictures read, and of all.

    Returns:
        A table of pictures of shape `(height, width, channels)`.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file cannot be read as a picture of this form.

    Example:

    ```python
    files = list_class_files("photos")
    table = read_picture_files(files, common_form(files.files, size=(84, 84)))
    ```
    """
    examples = read_in_form(files.files, form, on_progress=on_progress)
    if invert:
        invert_pictures(examples, out=examples)
    return files.to_table(examples, f"pictures of {files.source}")


def read_in_form(
    files: Sequence[Path],
    form: PictureForm,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Reads pictures, all of them in one form.

    Those of a task are read by one call, support and queries, so that nothing is
    done to one side alone.

    Args:
        files: The pictures.
        form: What they are brought into.
        on_progress: Called with the number of pictures read, and of all.

    Returns:
        Array of shape `(pictures, height, width, channels)` and the form's dtype.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file cannot be read as a picture of this form.

    Example:

    ```python
    read_in_form([Path("1.png")], PictureForm((28, 28), 1, "uint8")).shape
    # (1, 28, 28, 1)
    ```
    """
    count = len(files)
    pictures = np.empty((count, *form.size, form.channels), form.dtype)

    def read(row: int) -> None:
        pictures[row] = read_picture(
            files[row], size=form.size, channels=form.channels, dtype=form.dtype
        )

    # Decoding lets other threads run, so that the cores share it.
    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(read, range(count)), start=1):
            if on_progress is not None:
                on_progress(done, count)
    return pictures


def _only_size(files: Sequence[Path], kinds: Sequence[PictureKind]) -> tuple[int, int]:
    first: dict[tuple[int, int], Path] = {}
    for file, kind in zip(files, kinds, strict=True):
        first.setdefault((kind.height, kind.width), file)
    if len(first) > 1:
        shown = " and ".join(
            f"{height} x {width} ({str(file)!r})"
            for (height, width), file in list(first.items())[:2]
        )
        raise ValueError(
            "`size` must be given when pictures differ in height or width. "
            f"Received: {len(first)} sizes, among them {shown}"
        )
    return next(iter(first))
