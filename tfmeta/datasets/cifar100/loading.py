"""Taking a split of CIFAR-100's classes from what is on this machine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tfmeta.datasets.cifar100.archive import ARCHIVE, URL
from tfmeta.datasets.cifar100.importing import cifar100_builder
from tfmeta.datasets.cifar100.table import table_path, write_cifar100
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.storage.table_folder import open_table
from tfmeta.datasets.tfds_archives import connection_problem, import_folder, prepare


def take_classes(
    name: str,
    class_names: Sequence[str],
    description: str,
    data_dir: str | os.PathLike[str] | None,
) -> ClassTable:
    """Some classes of CIFAR-100, which is made ready first where it can be.

    Args:
        name: Name of the data set that they are a split of.
        class_names: The classes.
        description: One line on the split.
        data_dir: The data folder.

    Returns:
        The table.

    Raises:
        FileNotFoundError: When CIFAR-100 is not here and cannot be downloaded.
    """
    folder = resolve_data_dir(data_dir)
    if not table_path(folder).exists():
        _make_ready(name, folder)
    table = open_table(table_path(folder))
    place = {class_name: index for index, class_name in enumerate(table.class_names)}
    taken = table.take_classes([place[class_name] for class_name in class_names])
    return dataclasses.replace(
        taken, name=name, description=f"{description} of {table.description}"
    )


def _make_ready(name: str, data_dir: Path) -> None:
    builder = cifar100_builder(data_dir)
    problem = None if builder.is_prepared() else connection_problem(URL)
    if problem is not None:
        raise FileNotFoundError(
            f"CIFAR-100 is not in {data_dir} and cannot be downloaded ({problem}). "
            f"Without a connection, put {ARCHIVE} into a folder and type `tfmeta "
            f"datasets import {name} --from DIR`. Received: data_dir "
            f"{str(data_dir)!r}"
        )
    with import_folder(data_dir, "cifar100") as folder:
        if not table_path(data_dir).exists():  # another process may have been first
            if not builder.is_prepared():
                builder = prepare("cifar100", data_dir, folder)
            write_cifar100(builder, table_path(data_dir))
