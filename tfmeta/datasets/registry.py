"""One door to all data sets that the package knows by name."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
from typing import Any

from tfmeta.datasets.class_table import ClassTable


@dataclasses.dataclass(frozen=True)
class Entry:
    """A data set that can be loaded by its name.

    Args:
        description: One line on what it is.
        loader: Where its function is, `"module:function"`.
    """

    description: str
    loader: str


DATASETS = {
    "glyphs": Entry(
        "generated characters in alphabets; no download",
        "tfmeta.datasets.glyphs.load:load_glyphs",
    ),
    "omniglot": Entry(
        "1,623 handwritten characters of 50 alphabets, 20 drawings each",
        "tfmeta.datasets.omniglot.load:load_omniglot",
    ),
    "mini_imagenet": Entry(
        "100 classes of ImageNet, 600 pictures of 84 x 84 each",
        "tfmeta.datasets.imagenet.mini:load_mini_imagenet",
    ),
    "tiered_imagenet": Entry(
        "608 classes of ImageNet in 34 superclasses, 84 x 84",
        "tfmeta.datasets.imagenet.tiered:load_tiered_imagenet",
    ),
    "cifar_fs": Entry(
        "CIFAR-100 in 64, 16 and 20 classes, 32 x 32",
        "tfmeta.datasets.cifar100.cifar_fs:load_cifar_fs",
    ),
    "fc100": Entry(
        "CIFAR-100 in 60, 20 and 20 classes that share no superclass, 32 x 32",
        "tfmeta.datasets.cifar100.fc100:load_fc100",
    ),
    "clinc150": Entry(
        "150 intents of 10 domains, 150 sentences each",
        "tfmeta.datasets.text.clinc150:load_clinc150",
    ),
    "banking77": Entry(
        "77 intents of customers of a bank, 13,083 sentences",
        "tfmeta.datasets.text.banking77:load_banking77",
    ),
    "tox21": Entry(
        "toxicity of 7,831 molecules in 12 assays",
        "tfmeta.datasets.molecules.tox21:load_tox21",
    ),
    "sider": Entry(
        "side effects of 1,427 drugs in 27 organ classes",
        "tfmeta.datasets.molecules.sider:load_sider",
    ),
}
NAMES = tuple(DATASETS)


def load(
    name: str,
    *,
    split: str = "train",
    data_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> ClassTable:
    """Loads one split of a data set by its name.

    Args:
        name: One of `tfmeta datasets list`. `"glyphs"` is made by a program and
            needs neither file nor connection.
        split: `"train"`, `"validation"` or `"test"`, which share no class; some
            data sets know further ones.
        data_dir: Where data is kept; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`. Glyphs do not
            use it.
        **options: What else the data set's own function takes, such as
            `protocol` and `rotations` of
            `tfmeta.datasets.omniglot.load.load_omniglot`, or `seed` of glyphs.
            `None` stands for its default.

    Returns:
        The table.

    Raises:
        ValueError: For an unknown name or split, or for an option that the
            data set does not have.
        FileNotFoundError: When the data is not here and cannot be downloaded.

    Example:

    ```python
    train = tfmeta.datasets.load("glyphs", split="train")
    test = tfmeta.datasets.load("omniglot", split="test", data_dir="~/data")
    ```
    """
    if name not in DATASETS:
        raise ValueError(f"`name` must be one of {list(NAMES)}. Received: {name!r}")
    module, function = DATASETS[name].loader.split(":")
    loader = getattr(importlib.import_module(module), function)
    accepted = set(inspect.signature(loader).parameters) - {"split", "data_dir"}
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in accepted:
            takes = ", ".join(f"`{a}`" for a in sorted(accepted)) or "no options"
            raise ValueError(
                f"`{option}` is no option of data set {name!r}, which takes {takes}. "
                f"Received: {option}={value!r}"
            )
    if "data_dir" in inspect.signature(loader).parameters:
        given["data_dir"] = data_dir
    return loader(split, **given)
