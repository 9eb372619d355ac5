"""The list of all data sets, and the doors to them: `load`, `import_dataset`."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.dataset import Dataset, options_of
from tfmeta.datasets.import_report import ImportReport, OnProgress

# The list: one line for each data set, where its record is.
_RECORDS = (
    "tfmeta.datasets.glyphs.dataset:GLYPHS",
    "tfmeta.datasets.omniglot.dataset:OMNIGLOT",
    "tfmeta.datasets.imagenet.dataset:MINI_IMAGENET",
    "tfmeta.datasets.imagenet.dataset:TIERED_IMAGENET",
    "tfmeta.datasets.cifar100.dataset:CIFAR_FS",
    "tfmeta.datasets.cifar100.dataset:FC100",
    "tfmeta.datasets.text.dataset:CLINC150",
    "tfmeta.datasets.text.dataset:BANKING77",
    "tfmeta.datasets.molecules.dataset:TOX21",
    "tfmeta.datasets.molecules.dataset:SIDER",
)


def read_records(places: Iterable[str]) -> dict[str, Dataset]:
    """Records by name of their data set.

    Args:
        places: Where the records are, each `"module:NAME"`.

    Raises:
        ValueError: When two data sets have one name.
    """
    records: dict[str, Dataset] = {}
    for place in places:
        record = pkgutil.resolve_name(place)
        if record.name in records:
            raise ValueError(
                "data sets must differ in their names. Received: a second "
                f"{record.name!r}, {place}"
            )
        records[record.name] = record
    return records


DATASETS = read_records(_RECORDS)


def importable() -> list[str]:
    """The names of the data sets that are imported from files."""
    return [name for name, record in DATASETS.items() if record.importer is not None]


def load(
    name: str | os.PathLike[str],
    *,
    split: str = "train",
    data_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> ClassTable:
    """Loads one split of a data set, by its name or by the path of your own.

    Args:
        name: One of `tfmeta datasets list`. `"glyphs"` is made by a program and
            needs neither file nor connection. Or data of your own: a folder with a
            sub-folder for each class, or with splits of such, a CSV or `.npz` file, the
            folder of a prepared table, or `"tfds:NAME"`; see
            `tfmeta.datasets.own.load_own_split`.
        split: `"train"`, `"validation"` or `"test"`, which share no class; some
            data sets know further ones.
        data_dir: Where data is kept; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`. Glyphs do not
            use it.
        **options: What else the data set's own function takes, such as
            `protocol` and `rotations` of
            `tfmeta.datasets.omniglot.load.load_omniglot`, `seed` of glyphs, or
            `size` of your own pictures and `text_column` of your own CSV file. `None`
            stands for its default.

    Returns:
        The table.

    Raises:
        ValueError: For an unknown name or split, or for an option that the
            data set does not have; for your own as `load_own_split`.
        FileNotFoundError: When the data is not here and cannot be downloaded, or
            when nothing is at the path.

    Example:

    ```python
    train = tfmeta.datasets.load("glyphs", split="train")
    test = tfmeta.datasets.load("omniglot", split="test", data_dir="~/data")
    own = tfmeta.datasets.load("photos/", split="train", size=84)
    ```
    """
    if name in DATASETS:
        return DATASETS[str(name)].load(split, data_dir=data_dir, **options)
    if not _is_of_ones_own(name):
        raise ValueError(
            f"`name` must be one of {list(DATASETS)}; for your own a folder, a CSV or "
            f".npz file, or 'tfds:NAME'. Received: {name!r}, where nothing is"
        )
    from tfmeta.datasets.own.own_split import load_own_split

    given = options_of(load_own_split, options, str(name))
    path = name if str(name).startswith("tfds:") else Path(name).expanduser()
    return load_own_split(path, split, data_dir=data_dir, **given)


def _is_of_ones_own(name: str | os.PathLike[str]) -> bool:
    """Whether it is a path, or a name of TFDS, and no mistyped name."""
    text = os.fspath(name)
    return (
        not isinstance(name, str)
        or text.startswith("tfds:")
        or any(mark in text for mark in ("/", os.sep, "."))
        or Path(text).exists()
    )


def import_dataset(
    name: str,
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> ImportReport:
    r"""Imports a data set from files on this machine, so that `load` finds it.

    Args:
        name: One of `tfmeta datasets import --help`.
        source: The folder with the data set's files.
        data_dir: Where data is kept; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all.
        **options: What else the data set's own function takes, such as
            `partial` of `import_tiered_imagenet`. `None` stands for its
            default.

    Returns:
        What the import did. Show its `notes` to the user.

    Raises:
        ValueError: For an unknown name, for an option that the data set does
            not have, and when the files are damaged, unsafe or not complete.
        FileNotFoundError: When a file is missing.
        OSError: When the disk is too small.

    Example:

    ```python
    done = import_dataset("omniglot", "~/Downloads/omniglot", on_progress=print)
    print(*done.notes, sep="\n")
    ```
    """
    if name not in importable():
        raise ValueError(f"`name` must be one of {importable()}. Received: {name!r}")
    return DATASETS[name].import_from(
        source, data_dir=data_dir, on_progress=on_progress, **options
    )
