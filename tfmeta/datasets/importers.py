"""One door to all imports from files that are already on this machine."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
from collections.abc import Callable
from typing import Any, Protocol


class Imported(Protocol):
    """What an import tells."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each; often nothing."""


@dataclasses.dataclass(frozen=True)
class Importer:
    """How a data set is imported.

    Args:
        needs: What the folder to import from must hold.
        function: Where its function is, `"module:function"`.
    """

    needs: str
    function: str


_CIFAR_100 = "cifar-100-binary.tar.gz (CIFAR-100, binary version)"

IMPORTERS = {
    "omniglot": Importer(
        "images_background.zip, images_evaluation.zip, images_background_small1.zip "
        "and images_background_small2.zip; for `tfmeta evaluate --protocol lake` also "
        "all_runs.zip, which may be added later, alone",
        "tfmeta.datasets.omniglot.importing:import_omniglot",
    ),
    "mini_imagenet": Importer(
        "84x84 pictures or ILSVRC-2012's training pictures, in folders of classes or "
        "an archive, with the lists train.csv, val.csv and test.csv; or the pickles "
        "mini-imagenet-cache-*.pkl or miniImageNet_category_split_*.pickle",
        "tfmeta.datasets.imagenet.importing:import_mini_imagenet",
    ),
    "tiered_imagenet": Importer(
        "ILSVRC-2012's training pictures, in folders of classes or an archive; or "
        "*_images_png.pkl or *_images.npz with *_labels.pkl",
        "tfmeta.datasets.imagenet.importing:import_tiered_imagenet",
    ),
    "cifar_fs": Importer(
        _CIFAR_100, "tfmeta.datasets.cifar100.importing:import_cifar_fs"
    ),
    "fc100": Importer(_CIFAR_100, "tfmeta.datasets.cifar100.importing:import_fc100"),
    "clinc150": Importer(
        "data_full.json or data_full.json.gz",
        "tfmeta.datasets.text.clinc150:import_clinc150",
    ),
    "banking77": Importer(
        "train.csv and test.csv, or train.csv.gz and test.csv.gz",
        "tfmeta.datasets.text.banking77:import_banking77",
    ),
    "tox21": Importer(
        "tox21.csv or tox21.csv.gz of MoleculeNet",
        "tfmeta.datasets.molecules.tox21:import_tox21",
    ),
    "sider": Importer(
        "sider.csv or sider.csv.gz of MoleculeNet",
        "tfmeta.datasets.molecules.sider:import_sider",
    ),
}


def import_dataset(
    name: str,
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Imported:
    r"""Imports a data set by its name, so that `tfmeta.datasets.load` finds it.

    Args:
        name: One of `IMPORTERS`.
        source: The folder with the data set's files.
        data_dir: Where data is kept; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all.
        **options: What else the data set's own function takes, such as
            `partial` of `import_tiered_imagenet`. `None` stands for its
            default.

    Returns:
        What the import did. Show its `notes` to the user.

    Raises:
        ValueError: For an unknown name, for an option that the data set does
            not have, and when the files are damaged, unsafe or not complete.
        FileNotFoundError: When a file is missing.
        OSError: When the disk is too small.

    Example:

    ```python
    done = import_dataset("omniglot", "~/Downloads/omniglot", on_progress=print)
    print(*done.notes, sep="\n")
    ```
    """
    if name not in IMPORTERS:
        raise ValueError(f"`name` must be one of {list(IMPORTERS)}. Received: {name!r}")
    module, function = IMPORTERS[name].function.split(":")
    import_it = getattr(importlib.import_module(module), function)
    given = {option: value for option, value in options.items() if value is not None}
    accepted = set(inspect.signature(import_it).parameters)
    for option, value in given.items():
        if option not in accepted - {"source", "data_dir", "on_progress"}:
            raise ValueError(
                f"`{option}` must be left out for {name}, which has no such option. "
                f"Received: {option}={value!r}"
            )
    return import_it(source, data_dir, on_progress=on_progress, **given)
