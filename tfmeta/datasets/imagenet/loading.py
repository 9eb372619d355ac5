"""Taking splits from the tables of miniImageNet and tieredImageNet."""

from __future__ import annotations

import dataclasses
import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import resolve_data_dir, table_path
from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.importing import import_pictures
from tfmeta.datasets.imagenet.prepared import find_prepared
from tfmeta.datasets.splits import check_split
from tfmeta.datasets.storage.table_folder import open_table

_ACCEPTED = {split: (split,) for split in SPLITS} | {
    "trainval": ("train", "validation")
}


def open_or_pack(
    record: Dataset,
    catalogue: Catalogue,
    split: str,
    data_dir: str | os.PathLike[str] | None,
    *,
    builder_name: str,
    option: str = "",
) -> ClassTable:
    """One split of a data set's table, which is written first where only TFDS has it.

    Args:
        record: The data set.
        catalogue: What its table holds.
        split: The split.
        data_dir: The data folder.
        builder_name: Class name of its TFDS builder.
        option: What importing this table takes, as of `Dataset.missing`.

    Returns:
        The table of the split.

    Raises:
        ValueError: For a split that it does not have.
        FileNotFoundError: When it is nowhere.
    """
    check_split(catalogue.name, split, tuple(_ACCEPTED))
    path = table_path(data_dir, catalogue.name)
    if not path.exists():
        folder = resolve_data_dir(data_dir)
        open_prepared = find_prepared(builder_name, catalogue, folder)
        if open_prepared is None:
            raise record.missing(
                data_dir, because="cannot be downloaded by a program", option=option
            )
        import_pictures(open_prepared, catalogue, data_dir)
    taken = take_split(open_table(path), catalogue, _ACCEPTED[split])
    return dataclasses.replace(taken, cut_from=record.cut_from)


def take_split(
    table: ClassTable, catalogue: Catalogue, splits: tuple[str, ...]
) -> ClassTable:
    """The classes of some splits, from the table of all of them.

    Their words in WordNet are the class attributes, where they are known by their ids.

    Raises:
        ValueError: When the table has none.
    """
    split_of = catalogue.split_of
    ids = [
        number
        for number, name in enumerate(table.class_names)
        # Classes without a name of their own are called "train/000".
        if split_of.get(name, name.partition("/")[0]) in splits
    ]
    if not ids:
        raise ValueError(
            f"table {table.name!r} must have a class of {' or '.join(splits)}. "
            f"Received: none among its {table.num_classes} classes"
        )
    taken = table.take_classes(ids)
    return dataclasses.replace(
        taken,
        description=f"{table.description}; {' and '.join(splits)} classes",
        class_attributes=catalogue.texts_of(taken.class_names),
    )
