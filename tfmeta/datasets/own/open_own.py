"""One door to all data of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.csv_columns import CsvColumns, is_csv
from tfmeta.datasets.own.csv_file import list_csv
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS, is_text_csv, load_text_csv
from tfmeta.datasets.own.given_splits import refuse_given_splits
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.npz_file import is_npz, load_npz
from tfmeta.datasets.own.picture_files import PictureDtype, PictureSize, refuse_form
from tfmeta.datasets.own.read_files import form_of_files, read_files
from tfmeta.datasets.own.readable import naming_all_unreadable, without_unreadable
from tfmeta.datasets.own.tfds_by_name import load_tfds
from tfmeta.datasets.storage.building import HEADER
from tfmeta.datasets.storage.table_folder import open_table

TFDS = "tfds:"
ACCEPTED = (
    "a folder with one sub-folder of pictures, .txt or .npy files for each class, a "
    ".csv file with the columns 'path' or 'text' and 'label', a .npz file with the "
    "arrays X and y, the folder of a prepared table, or 'tfds:NAME'"
)


def open_own(
    path: str | os.PathLike[str],
    *,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    text_column: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    tfds_split: str = "train",
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Opens data of your own by what is there.

    | `path` | opened by |
    |---|---|
    | a folder of folders of pictures | `own.picture_folder.load_picture_folder` |
    | a folder of folders of `.npy` files | `own.array_folder.load_array_folder` |
    | a folder of folders of `.txt` files | `own.text_files.load_text_folder` |
    | a `.csv` or `.tsv` file of paths | `own.csv_file.load_csv` |
    | a `.csv` or `.tsv` file of texts | `own.csv_texts.load_text_csv` |
    | a `.npz` file | `own.npz_file.load_npz` |
    | the folder of a prepared table | `storage.table_folder.open_table` |
    | `"tfds:NAME"` | `own.tfds_by_name.load_tfds` |

    Those functions have further arguments.

    Args:
        path: A path, or `"tfds:"` and a name.
        size: For pictures, the height and width in pixels that all are resized to,
            one number for squares, or `None` when all have one size.
        channels: For pictures 1, 3, or `None` for 3 when one of them has colours.
        dtype: For pictures `"uint8"`, `"uint16"`, or `None` for 16 bits when one of
            them is stored in 16-bit grey.
        text_column: For CSV files, the name of the column of texts; `None` for
            `"text"`, where there is one.
        path_column: Likewise of paths; `None` for `"path"`, where there are no texts.
        label_column: Likewise of class names; `None` for `"label"`.
        group_column: Likewise of the group of each class; `None` for no groups.
        data_dir: Where prepared TFDS data sets lie, for `"tfds:NAME"`.
        tfds_split: Which split of TFDS, for `"tfds:NAME"`.
        on_progress: Called with the number of examples read, and of all.

    Returns:
        The table.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ValueError: When it is none of these, something in it cannot be read, or
            `size`, `channels` or `dtype` is given for what is no picture, or columns
            for what is no CSV file.

    Example:

    ```python
    table = open_own("photos", size=(84, 84))
    ```
    """
    columns = CsvColumns(text_column, path_column, label_column, group_column)
    check_columns(path, columns)
    if is_tfds(path):
        return load_tfds(
            str(path).removeprefix(TFDS),
            split=tfds_split,
            data_dir=data_dir,
            size=size,
            channels=channels,
            dtype=dtype,
            on_progress=on_progress,
        )
    if is_table(path):
        refuse_form(
            "a prepared table, which stays as it is",
            size=size,
            channels=channels,
            dtype=dtype,
        )
        return open_table(path)
    if is_text_csv(path, columns):
        refuse_form("texts", size=size, channels=channels, dtype=dtype)
        return load_text_csv(
            path,
            text_column=text_column,
            label_column=label_column,
            group_column=group_column,
        )
    if is_npz(path):
        refuse_form(
            "a .npz file, which stays as it is",
            size=size,
            channels=channels,
            dtype=dtype,
        )
        return load_npz(path)
    files = list_own_files(path, columns=columns)
    with naming_all_unreadable(files):
        form = form_of_files(files, size=size, channels=channels, dtype=dtype)
        return read_files(files, form, on_progress=on_progress)


def is_tfds(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a TFDS name behind `"tfds:"`."""
    return isinstance(path, str) and path.startswith(TFDS)


def is_whole(path: str | os.PathLike[str], columns: CsvColumns = USUAL_COLUMNS) -> bool:
    """Whether a path is opened as a table, not listed file by file."""
    return is_tfds(path) or is_table(path) or is_text_csv(path, columns) or is_npz(path)


def check_columns(path: str | os.PathLike[str], columns: CsvColumns) -> None:
    """Refuses names of columns for what is no CSV file.

    Raises:
        ValueError: When one is given for such.
    """
    if is_tfds(path) or not is_csv(Path(path)):
        columns.refuse(repr(str(path)))


def is_table(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the folder of a prepared table."""
    return (Path(path) / HEADER).is_file()


def list_own_files(
    path: str | os.PathLike[str],
    *,
    skip_bad: bool = False,
    columns: CsvColumns = USUAL_COLUMNS,
) -> LabelledFiles:
    """The files of a folder of class folders, or of a CSV file of paths.

    Args:
        path: The folder or file.
        skip_bad: Whether class folders, lines and files are left out that something is
            wrong with, for which all files are read; `notes` says which.
        columns: What the columns of a CSV file are called.

    Returns:
        The files with their classes, none of them read.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ValueError: When it is neither.
    """
    path = Path(path)
    refuse_given_splits(path)
    if path.is_dir():
        found = list_class_files(path, skip_bad=skip_bad)
        return without_unreadable(found) if skip_bad else found
    if is_csv(path):
        of_file = columns.of_file(path)
        found = list_csv(
            path,
            path_column=of_file.example,
            label_column=of_file.label,
            group_column=of_file.group,
            skip_bad=skip_bad,
        )
        return without_unreadable(found) if skip_bad else found
    received = "a file of another kind" if path.exists() else "nothing there"
    error = ValueError if path.exists() else FileNotFoundError
    raise error(f"{str(path)!r} must be {ACCEPTED}. Received: {received}")
