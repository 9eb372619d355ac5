"""CIFAR-FS: CIFAR-100's classes, split at random."""

from __future__ import annotations

import os

from tfmeta.datasets.cifar100.class_lists import cifar_fs_classes
from tfmeta.datasets.cifar100.dataset import CIFAR_FS
from tfmeta.datasets.cifar100.loading import take_classes
from tfmeta.datasets.class_table import ClassTable


def load_cifar_fs(
    split: str = "train", *, data_dir: str | os.PathLike[str] | None = None
) -> ClassTable:
    """Loads one split of CIFAR-FS.

    The first call on a machine takes what is there: the table of an import, else
    `cifar100` as TensorFlow Datasets has prepared it in `data_dir`, else the
    archive (169 MB) from the authors' site.

    Args:
        split: `"train"` (64 classes), `"validation"` (16), `"test"` (20) or
            `"trainval"`. Splits share no class, but superclasses: see
            `load_fc100`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        A table of uint8 pictures of shape `(32, 32, 3)`, 600 for each class,
        classes sorted by name, with CIFAR-100's 20 superclasses as groups.

    Raises:
        ValueError: For an unknown split and for damaged data.
        FileNotFoundError: When the data is not here and cannot be downloaded.

    Example:

    ```python
    train = load_cifar_fs("train")
    train.num_classes, train.example_shape  # 64, (32, 32, 3)
    ```

    Reference: L. Bertinetto, J. F. Henriques, P. H. S. Torr and A. Vedaldi
    (2019), *Meta-learning with differentiable closed-form solvers*, ICLR.
    """
    names = cifar_fs_classes(split)
    return take_classes(CIFAR_FS, names, f"CIFAR-FS, {split} split", data_dir)
