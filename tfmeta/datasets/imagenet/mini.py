"""miniImageNet: 100 classes of ImageNet, 600 pictures of each."""

from __future__ import annotations

import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.imagenet.catalogue import mini_catalogue
from tfmeta.datasets.imagenet.dataset import MINI_IMAGENET
from tfmeta.datasets.imagenet.loading import open_or_pack


def load_mini_imagenet(
    split: str = "train", *, data_dir: str | os.PathLike[str] | None = None
) -> ClassTable:
    """Loads one split of miniImageNet as pictures of 84x84.

    It is read from the table that `tfmeta datasets import mini_imagenet` writes;
    without one, a data set that the TFDS builder `mini_imagenet` has prepared in
    `data_dir` is packed into a table once. The pictures stay on disk, mapped
    into memory.

    Args:
        split: `"train"` (64 classes), `"validation"` (16), `"test"` (20) or
            `"trainval"` (the first two, 80).
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        A table of uint8 pictures of shape `(84, 84, 3)`, red, green and blue,
        600 for each class, with WordNet ids such as `"n01532829"` as class
        names, and WordNet's words for each as class attributes.

    Raises:
        ValueError: For an unknown split and for a damaged table.
        FileNotFoundError: When the data is not here.

    Example:

    ```python
    train = load_mini_imagenet("train")
    train.num_classes, train.example_shape  # 64, (84, 84, 3)
    ```

    References: O. Vinyals, C. Blundell, T. Lillicrap, K. Kavukcuoglu and
    D. Wierstra (2016), *Matching Networks for One Shot Learning*, NeurIPS (the
    data set); S. Ravi and H. Larochelle (2017), *Optimization as a Model for
    Few-Shot Learning*, ICLR (the split).
    """
    return open_or_pack(
        MINI_IMAGENET, mini_catalogue(), split, data_dir, builder_name="MiniImagenet"
    )
