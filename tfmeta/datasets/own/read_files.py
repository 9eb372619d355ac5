"""From labelled files, be they pictures, texts or arrays, to a class table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.array_files import (
    ArrayForm,
    common_array_form,
    read_array_files,
)
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.picture_files import (
    PictureDtype,
    PictureForm,
    PictureSize,
    common_form,
    read_picture_files,
    refuse_form,
)
from tfmeta.datasets.own.text_files import read_text_files

# Of texts it is None: they have none to share.
FileForm = PictureForm | ArrayForm | None


def form_of_files(
    files: LabelledFiles,
    *,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
) -> FileForm:
    """The form that all files share or are brought into.

    Splits of one data set are read in the form of the whole, so that they fit
    each other.

    Args:
        files: The files.
        size: For pictures, as of
            `tfmeta.datasets.own.picture_folder.load_picture_folder`.
        channels: Likewise.
        dtype: Likewise.

    Returns:
        The form.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file cannot be read, when no form fits all, and when
            `size`, `channels` or `dtype` is given for what is no picture.
    """
    if files.kind == "pictures":
        return common_form(files.files, size=size, channels=channels, dtype=dtype)
    refuse_form(
        "texts" if files.kind == "texts" else ".npy files, which stay as they are",
        size=size,
        channels=channels,
        dtype=dtype,
    )
    if files.kind == "texts":
        return None
    return common_array_form(files.files)


def read_files(
    files: LabelledFiles,
    form: FileForm,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Reads the files in a form.

    Args:
        files: The files.
        form: Of `form_of_files`.
        on_progress: Called with the number of files read, and of all.

    Returns:
        The table.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file cannot be read.
    """
    if isinstance(form, PictureForm):
        return read_picture_files(files, form, on_progress=on_progress)
    if form is None:
        return read_text_files(files, on_progress=on_progress)
    return read_array_files(files, form, on_progress=on_progress)
