"""FC100: CIFAR-100's classes, split so that no superclass is shared."""

from __future__ import annotations

import os

from tfmeta.datasets.cifar100.class_lists import fc100_classes
from tfmeta.datasets.cifar100.dataset import FC100
from tfmeta.datasets.cifar100.loading import take_classes
from tfmeta.datasets.class_table import ClassTable


def load_fc100(
    split: str = "train", *, data_dir: str | os.PathLike[str] | None = None
) -> ClassTable:
    """Loads one split of FC100.

    The first call on a machine takes what is there, as of `load_cifar_fs`: both
    are splits of CIFAR-100.

    Args:
        split: `"train"` (60 classes of 12 superclasses), `"validation"` (20
            of 4), `"test"` (20 of 4) or `"trainval"`. Splits share no
            superclass, so that test classes are less like training classes.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        A table of uint8 pictures of shape `(32, 32, 3)`, 600 for each class,
        classes sorted by name, with superclasses as groups.

    Raises:
        ValueError: For an unknown split and for damaged data.
        FileNotFoundError: When the data is not here and cannot be downloaded.

    Example:

    ```python
    test = load_fc100("test")
    sorted(set(test.groups))  # ['aquatic_mammals', 'insects', ...]
    ```

    Reference: B. N. Oreshkin, P. Rodriguez and A. Lacoste (2018), *TADAM: Task
    dependent adaptive metric for improved few-shot learning*, NeurIPS.
    """
    names = fc100_classes(split)
    return take_classes(FC100, names, f"FC100, {split} split", data_dir)
