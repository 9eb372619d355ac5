"""All of CIFAR-100 as one table, which CIFAR-FS and FC100 are splits of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.cifar100.archive import EACH, SIZE, CifarPictures
from tfmeta.datasets.cifar100.class_lists import superclasses
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.import_report import OnProgress
from tfmeta.datasets.storage.table_folder import save_table
from tfmeta.datasets.tfds_builders import readable

NAME = "cifar100"


def write_cifar100(
    found: CifarPictures, path: Path, *, on_progress: OnProgress | None = None
) -> None:
    """Writes the table; pictures of a class keep their order.

    Args:
        found: All pictures.
        path: Where to write.
        on_progress: Called with the number of pictures written, and of all.

    Raises:
        OSError: When the disk is too small.
    """
    groups = superclasses()
    place = {name: index for index, name in enumerate(groups)}
    classes = np.array([place[name] for name in found.class_names])[found.labels]
    table = ClassTable(
        name=NAME,
        examples=found.pictures[np.argsort(classes, kind="stable")],
        offsets=np.arange(len(groups) + 1) * sum(EACH.values()),
        class_names=tuple(groups),
        groups=tuple(groups.values()),
        group_level="superclass",
        description=f"CIFAR-100, {SIZE}x{SIZE}",
    )
    save_table(table, path, on_progress=on_progress)


def read_prepared(builder: Any) -> CifarPictures:
    """Reads a prepared TFDS `cifar100`.

    Args:
        builder: The prepared `tfds.core.DatasetBuilder`.

    Returns:
        Its pictures, in the order of the authors' files.

    Raises:
        ValueError: When the prepared data is damaged or not all of CIFAR-100.
    """
    pictures, labels, ids = [], [], []
    with readable(builder):
        for part, prefix in (("train", b"0"), ("test", b"1")):
            dataset = builder.as_dataset(part, batch_size=512, shuffle_files=False)
            for batch in dataset.as_numpy_iterator():
                pictures.append(batch["image"])
                labels.append(batch["label"])
                ids += [prefix + name for name in batch["id"]]
    names = builder.info.features["label"].names
    each, codes = sum(EACH.values()), np.concatenate(labels)
    sizes = np.bincount(codes, minlength=len(names))
    if sorted(names) != list(superclasses()) or np.any(sizes != each):
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must hold the "
            f"{len(superclasses())} classes of CIFAR-100 with {each} pictures each. "
            f"Received: {len(names)} classes with {sizes.min()} to {sizes.max()}; "
            "delete that folder and prepare it again"
        )
    order = np.argsort(np.array(ids), kind="stable")
    examples = np.concatenate(pictures)[order]
    return CifarPictures(examples, codes[order], tuple(names))
