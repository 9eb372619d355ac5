"""All of CIFAR-100 as one table, made from the TFDS data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.cifar100.archive import EACH, SIZE
from tfmeta.datasets.cifar100.class_lists import superclasses
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.table_folder import save_table


def table_path(data_dir: Path) -> Path:
    """Where the table of a data folder lies."""
    return data_dir / "tables" / "cifar100"


def write_cifar100(
    builder: Any,
    path: str | os.PathLike[str],
    *,
    on_pictures: Callable[[int], None] | None = None,
) -> None:
    """Reads a prepared TFDS `cifar100` once and writes the table.

    Pictures of a class keep the order of the authors' files, train before
    test.

    Args:
        builder: The prepared `tfds.core.DatasetBuilder`.
        path: Where to write.
        on_pictures: Called with a number of pictures, when they were read.

    Raises:
        ValueError: When the prepared data is damaged or not all of CIFAR-100.
        OSError: When the disk is too small.
    """
    import tensorflow as tf

    pictures, labels, ids = [], [], []
    try:
        for part, prefix in (("train", b"0"), ("test", b"1")):
            dataset = builder.as_dataset(part, batch_size=512, shuffle_files=False)
            for batch in dataset.as_numpy_iterator():
                pictures.append(batch["image"])
                labels.append(batch["label"])
                ids += [prefix + name for name in batch["id"]]
                if on_pictures is not None:
                    on_pictures(len(batch["label"]))
    except tf.errors.OpError as error:
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must be readable; "
            f"delete that folder and import again. Received: {error.message}"
        ) from error
    groups = superclasses()
    names = builder.info.features["label"].names
    each, total = sum(EACH.values()), sum(EACH.values()) * len(groups)
    examples, codes = np.concatenate(pictures), np.concatenate(labels)
    sizes = np.bincount(codes, minlength=len(names))
    if sorted(names) != list(groups) or np.any(sizes != each):
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must hold the "
            f"{len(groups)} classes of CIFAR-100 with {each} pictures each, {total:,}. "
            f"Received: {len(names)} classes with {sizes.min()} to {sizes.max()}; "
            "delete that folder and import again"
        )
    rank = np.argsort(np.argsort(names))  # place of each label in sorted order
    order = np.lexsort((np.array(ids), rank[codes]))
    table = ClassTable(
        name="cifar100",
        examples=examples.reshape(total, SIZE, SIZE, 3)[order],
        offsets=np.arange(len(groups) + 1) * each,
        class_names=tuple(groups),
        groups=tuple(groups.values()),
        group_level="superclass",
        description=f"CIFAR-100, {SIZE}x{SIZE}",
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_table(table, path)
