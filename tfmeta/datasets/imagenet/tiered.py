"""tieredImageNet: 608 classes of ImageNet in 34 superclasses."""

from __future__ import annotations

import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.imagenet.catalogue import tiered_catalogue
from tfmeta.datasets.imagenet.dataset import TIERED_IMAGENET
from tfmeta.datasets.imagenet.loading import open_or_pack


def load_tiered_imagenet(
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    partial: bool = False,
) -> ClassTable:
    """Loads one split of tieredImageNet as pictures of 84x84.

    It is read from the table that `tfmeta datasets import tiered_imagenet`
    writes; without one, a data set that the TFDS builder `tiered_imagenet` has
    prepared in `data_dir` is packed into a table once. The pictures stay on
    disk, mapped into memory.

    Args:
        split: `"train"` (351 classes of 20 superclasses), `"validation"` (97 of
            6), `"test"` (160 of 8) or `"trainval"` (the first two).
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        partial: Whether to load a copy that was imported as one that need not
            be complete. Its name is `"tiered_imagenet_partial"`; accuracies on
            it are not those of tieredImageNet.

    Returns:
        A table of uint8 pictures of shape `(84, 84, 3)`, red, green and blue,
        with WordNet ids such as `"n01530575"` as class names, and superclasses
        as groups, called by the first of WordNet's words for them, such as
        `"passerine"`. Class attributes are WordNet's words for each class. From
        label files without names, classes are numbered instead and have no groups
        and no attributes.

    Raises:
        ValueError: For an unknown split, a split without classes and for a
            damaged table.
        FileNotFoundError: When the data is not here.

    Example:

    ```python
    train = load_tiered_imagenet("train")
    train.num_classes, len(set(train.groups))  # 351, 20
    ```

    Reference: M. Ren, E. Triantafillou, S. Ravi, J. Snell, K. Swersky,
    J. B. Tenenbaum, H. Larochelle and R. S. Zemel (2018), *Meta-Learning for
    Semi-Supervised Few-Shot Classification*, ICLR.
    """
    catalogue = tiered_catalogue(partial=partial)
    return open_or_pack(
        TIERED_IMAGENET,
        catalogue,
        split,
        data_dir,
        builder_name="TieredImagenetPartial" if partial else "TieredImagenet",
        option="--partial" if partial else "",
    )
