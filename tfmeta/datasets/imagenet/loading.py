"""Taking splits from the tables of miniImageNet and tieredImageNet."""

from __future__ import annotations

import dataclasses
import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.importing import import_pictures, table_path
from tfmeta.datasets.imagenet.prepared import find_prepared
from tfmeta.datasets.storage.table_folder import open_table

_ACCEPTED = {split: (split,) for split in SPLITS} | {
    "trainval": ("train", "validation")
}


def check_split(catalogue: Catalogue, split: str) -> None:
    """Refuses the name of a split that there is not.

    Raises:
        ValueError: When there is none of that name.
    """
    if split not in _ACCEPTED:
        raise ValueError(
            f"`split` of {catalogue.name} must be one of {list(_ACCEPTED)}. "
            f"Received: {split!r}"
        )


def open_or_pack(
    catalogue: Catalogue,
    split: str,
    data_dir: str | os.PathLike[str] | None,
    *,
    builder_name: str,
    command: str,
    forms: str,
) -> ClassTable:
    """One split of a data set's table, which is written first where only TFDS has it.

    Args:
        catalogue: The data set.
        split: The split.
        data_dir: The data folder.
        builder_name: Class name of its TFDS builder.
        command: What to type to import it.
        forms: In which forms it can be imported.

    Returns:
        The table of the split.

    Raises:
        FileNotFoundError: When it is nowhere.
    """
    path = table_path(catalogue, data_dir)
    if not path.exists():
        folder = resolve_data_dir(data_dir)
        open_prepared = find_prepared(builder_name, catalogue, folder)
        if open_prepared is None:
            raise FileNotFoundError(
                f"{catalogue.title} is not in {folder} and cannot be downloaded by a "
                f"program. Type `{command}`, where DIR has one of these forms:\n"
                f"{forms}\nReceived: data_dir {str(folder)!r}"
            )
        import_pictures(open_prepared, catalogue, data_dir)
    return take_split(open_table(path), catalogue, _ACCEPTED[split])


def take_split(
    table: ClassTable, catalogue: Catalogue, splits: tuple[str, ...]
) -> ClassTable:
    """The classes of some splits, from the table of all of them.

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
    description = f"{table.description}; {' and '.join(splits)} classes"
    return dataclasses.replace(taken, description=description)
