"""Writing miniImageNet and tieredImageNet into tables of our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.imagenet.catalogue import (
    SPLITS,
    Catalogue,
    mini_catalogue,
    tiered_catalogue,
)
from tfmeta.datasets.imagenet.picture_source import SHAPE, PictureSource
from tfmeta.datasets.imagenet.sources import open_mini, open_tiered
from tfmeta.datasets.import_report import ImportReport, OnProgress
from tfmeta.datasets.storage.layout import TableLayout
from tfmeta.datasets.storage.table_folder import open_table, write_table


def import_mini_imagenet(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports miniImageNet from a copy on this machine.

    Accepted are, in a folder:

    * picture files in folders named after their classes, or in one folder
      `images`, unpacked or in a zip or tar archive, with the lists of Ravi and
      Larochelle (`train.csv`, `val.csv`, `test.csv`), which decide what counts;
      without lists each class must have its 600 pictures and no more;
    * the training pictures of ILSVRC-2012 with these lists. A listed
      `n0153282900000005.jpg` is the fifth file of the class by number, see
      `tfmeta.datasets.imagenet.file_names.numbered`;
    * the pickles `mini-imagenet-cache-*.pkl` or
      `miniImageNet_category_split_*.pickle`, read without running them.

    Pictures of other sizes than 84x84 are stretched to it by Pillow's
    `BILINEAR` filter, which antialiases when it shrinks. A copy that is not
    complete is refused. An import that was killed goes on where it stopped.

    Args:
        source: The folder, or the archive.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`. It takes
            1.3 GB there.
        on_progress: Called with the number of pictures written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the copy is damaged, unsafe, incomplete or unknown.
        OSError: When the disk is too small.

    Example:

    ```python
    report = import_mini_imagenet("~/Downloads/miniImageNet")
    print(*report.notes, sep="\n")
    table = tfmeta.datasets.load("mini_imagenet")
    ```

    References: O. Vinyals, C. Blundell, T. Lillicrap, K. Kavukcuoglu and
    D. Wierstra (2016), *Matching Networks for One Shot Learning*, NeurIPS;
    S. Ravi and H. Larochelle (2017), *Optimization as a Model for Few-Shot
    Learning*, ICLR.
    """
    catalogue = mini_catalogue()
    return import_pictures(
        lambda: open_mini(source, catalogue), catalogue, data_dir, on_progress
    )


def import_tiered_imagenet(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    partial: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports tieredImageNet from a copy on this machine.

    Accepted are, in a folder:

    * the training pictures of ILSVRC-2012, or files made from them, in folders
      named after their classes, unpacked or in a zip or tar archive. Classes of
      ILSVRC-2012 that tieredImageNet does not have are left out;
    * `{train,val,test}_images_png.pkl` or `{train,val,test}_images.npz`, with
      `{train,val,test}_labels.pkl`, read without running them.

    Pictures of other sizes than 84x84 are stretched to it by Pillow's
    `BILINEAR` filter, which antialiases when it shrinks. A copy that is not
    complete is refused, unless `partial` is set. An import that was killed goes
    on where it stopped.

    Args:
        source: The folder, or the archive.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`. A complete
            copy takes 16.5 GB there.
        partial: Whether a copy that lacks classes or pictures will do. It
            becomes a data set of its own, `"tiered_imagenet_partial"`:
            accuracies on it are not those of tieredImageNet.
        on_progress: Called with the number of pictures written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the copy is damaged, unsafe, incomplete or unknown.
        OSError: When the disk is too small.

    Example:

    ```python
    report = import_tiered_imagenet("/data/ILSVRC2012/train")
    print(*report.notes, sep="\n")
    table = tfmeta.datasets.load("tiered_imagenet")
    ```

    Reference: M. Ren, E. Triantafillou, S. Ravi, J. Snell, K. Swersky,
    J. B. Tenenbaum, H. Larochelle and R. S. Zemel (2018), *Meta-Learning for
    Semi-Supervised Few-Shot Classification*, ICLR.
    """
    catalogue = tiered_catalogue(partial=partial)
    return import_pictures(
        lambda: open_tiered(source, catalogue), catalogue, data_dir, on_progress
    )


def import_pictures(
    open_source: Callable[[], PictureSource],
    catalogue: Catalogue,
    data_dir: str | os.PathLike[str] | None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Writes the table of a data set, unless it is there.

    Args:
        open_source: Opens and checks the copy.
        catalogue: What it must hold.
        data_dir: The data folder.
        on_progress: Called with the number of pictures written, and of all.

    Returns:
        The report.
    """
    path = table_path(data_dir, catalogue.name)
    if path.exists():
        table = open_table(path)
        note = (
            f"{path} already holds {catalogue.title}, {table.num_examples:,} pictures; "
            "nothing was read. Remove it first to import another copy."
        )
        return ImportReport((path,), True, (note,))
    source = open_source()
    layout = layout_of(source)
    write_table(path, layout, _items(source, layout), on_progress=on_progress)
    notes = source.notes
    if catalogue.pictures is None:
        notes += (
            f"{path} holds {sum(layout.class_sizes):,} pictures of "
            f"{len(layout.class_names)} of {len(source.catalogue.split_of)} classes: "
            "accuracies on it are not those of tieredImageNet.",
        )
    return ImportReport((path,), False, notes)


def layout_of(source: PictureSource) -> TableLayout:
    """The layout of a source's table: classes by split, then by name."""
    catalogue = source.catalogue
    names = [
        name
        for split in SPLITS
        for name in catalogue.classes[split]
        if source.sizes.get(name)
    ]
    groups = [catalogue.group_of(name) for name in names]
    return TableLayout(
        name=catalogue.name,
        class_names=tuple(names),
        class_sizes=tuple(source.sizes[name] for name in names),
        example_shape=SHAPE,
        dtype="uint8",
        groups=None if None in groups else tuple(str(group) for group in groups),
        group_level="superclass",
        description=f"{catalogue.title}, {source.form}",
        source_digest=source.digest,
    )


def _items(
    source: PictureSource, layout: TableLayout
) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
    offset = dict(zip(layout.class_names, layout.offsets.tolist(), strict=False))
    for split in SPLITS:
        for picture in source.pictures(split):
            yield offset[picture.class_name] + picture.rank, picture.pixels
