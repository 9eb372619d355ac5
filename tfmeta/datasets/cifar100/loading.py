"""Taking a split of CIFAR-100's classes from what is on this machine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tfmeta.datasets.cifar100.archive import URL
from tfmeta.datasets.cifar100.table import NAME, read_prepared, write_cifar100
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import one_at_a_time, resolve_data_dir, table_path
from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.storage.table_folder import open_table
from tfmeta.datasets.tfds_builders import find_builder, prepared


def take_classes(
    record: Dataset,
    class_names: Sequence[str],
    description: str,
    data_dir: str | os.PathLike[str] | None,
) -> ClassTable:
    """Some classes of CIFAR-100, which is made ready first where it can be.

    Args:
        record: The data set that they are a split of.
        class_names: The classes.
        description: One line on the split.
        data_dir: The data folder.

    Returns:
        The table.

    Raises:
        FileNotFoundError: When CIFAR-100 is not here and cannot be downloaded.
    """
    path = table_path(data_dir, NAME)
    if not path.exists():
        _make_ready(record, resolve_data_dir(data_dir), path)
    table = open_table(path)
    place = {class_name: index for index, class_name in enumerate(table.class_names)}
    taken = table.take_classes([place[class_name] for class_name in class_names])
    return dataclasses.replace(
        taken, name=record.name, description=f"{description} of {table.description}"
    )


def _make_ready(record: Dataset, data_dir: Path, path: Path) -> None:
    builder = find_builder(record, NAME, data_dir, url=URL)
    with one_at_a_time(data_dir, NAME):
        if not path.exists():  # another process may have been first
            write_cifar100(read_prepared(prepared(builder)), path)
