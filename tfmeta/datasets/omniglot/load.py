"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings of each."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import one_at_a_time, resolve_data_dir
from tfmeta.datasets.omniglot.archives import ARCHIVES, URL
from tfmeta.datasets.omniglot.characters import PROTOCOLS, characters_of
from tfmeta.datasets.omniglot.dataset import OMNIGLOT
from tfmeta.datasets.omniglot.earlier import packed_path, read_packed
from tfmeta.datasets.omniglot.pictures import (
    SCAN_SIZE,
    SIZE,
    open_size,
    size_path,
    write_scans,
    write_size,
)
from tfmeta.datasets.omniglot.prepared import read_prepared
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.datasets.tfds_builders import find_builder, prepared

_DOWNLOAD = f"{URL}{ARCHIVES[0].file_name}"


def load_omniglot(
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    protocol: str = "vinyals",
    rotations: bool | None = None,
    size: int = SIZE,
) -> ClassTable:
    """Loads one split of Omniglot, by default as 28x28 pictures.

    The first call on a machine takes what is there: the tables of an import, else
    a data set that TensorFlow Datasets has prepared in `data_dir`, else it lets
    TensorFlow Datasets download the archives (17 MB) from the authors' repository.
    Later calls read the tables. Each size has a table of its own, made from that of
    the scans when it is first asked for.

    Args:
        split: For the protocol `"vinyals"` one of `"train"`, `"validation"`,
            `"test"` and `"trainval"`; for `"lake"` one of `"train"`,
            `"validation"`, `"test"` and `"background"`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        protocol: `"vinyals"`: the lists of 1,028, 172 and 423 characters that
            most published accuracies are measured with. They mix Lake's two
            sets, and one alphabet (Gurmukhi) is in both train and test.
            `"lake"`: the authors' background set of 30 alphabets (964
            characters; five alphabets of it are the validation split, the other
            25 the train split) and evaluation set of 20 alphabets (659
            characters, the test split), so that no alphabet is shared.
        rotations: Whether each character turned by 0, 90, 180 and 270 degrees
            counts as four classes; by default yes for `"vinyals"` (4,112, 688
            and 1,692 classes) and no for `"lake"`.
        size: Side of the pictures in pixels, 1 to 105, the scans' own. Larger ones
            than 28 x 28 are turned when they are read, which takes a quarter of the
            memory.

    Returns:
        A table of uint8 pictures of shape `(size, size, 1)`, ink 255 on 0, 20 for
        each class, with classes named `"Alphabet/characterNN"` (and `/rotNNN`
        behind it with rotations) and alphabets as groups.

    Raises:
        ValueError: For an unknown split, protocol or size and for a damaged
            table.
        FileNotFoundError: When the data is not here and cannot be downloaded.

    Example:

    ```python
    train = load_omniglot("train")
    train.num_classes, train.example_shape  # 4112, (28, 28, 1)
    ```

    References: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015),
    *Human-level concept learning through probabilistic program induction*,
    Science 350(6266); O. Vinyals, C. Blundell, T. Lillicrap, K. Kavukcuoglu and
    D. Wierstra (2016), *Matching Networks for One Shot Learning*, NeurIPS.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` of omniglot must be one of {list(PROTOCOLS)}. "
            f"Received: {protocol!r}"
        )
    if split not in PROTOCOLS[protocol]:
        raise ValueError(
            f"`split` of omniglot with protocol {protocol!r} must be one of "
            f"{list(PROTOCOLS[protocol])}. Received: {split!r}"
        )
    if not isinstance(size, int) or not 1 <= size <= SCAN_SIZE:
        raise ValueError(
            f"`size` of omniglot must be an int from 1 to {SCAN_SIZE}, the side of its "
            f"scans in pixels. Received: {size!r}"
        )
    everything = _open_size(resolve_data_dir(data_dir), size)
    place = {name: index for index, name in enumerate(everything.class_names)}
    table = everything.take_classes([place[n] for n in characters_of(protocol, split)])
    table = dataclasses.replace(
        table,
        # Scans lie on disk as files: decoded once, not whenever they are drawn.
        examples=np.asarray(table.examples),
        description=f"Omniglot, {protocol} {split} split, {size}x{size}, ink 255",
    )
    turned = protocol == "vinyals" if rotations is None else rotations
    if turned and size > SIZE:
        unturned = SelectedExamples(table.examples, np.arange(table.num_examples))
        table = dataclasses.replace(table, examples=unturned)
    return table.with_rotations() if turned else table


def _open_size(data_dir: Path, size: int) -> ClassTable:
    """All characters in one size: found, or made from what there is."""
    if size_path(data_dir, size).exists():
        return open_size(size, data_dir)
    earlier = packed_path(data_dir, size)
    if earlier.exists():
        return read_packed(earlier, size)
    scans = size_path(data_dir, SCAN_SIZE)
    builder = None
    if not scans.exists():
        builder = find_builder(OMNIGLOT, "omniglot", data_dir, url=_DOWNLOAD)
    with one_at_a_time(data_dir, "omniglot"):
        # Another process may have been first.
        if not scans.exists():
            write_scans(read_prepared(prepared(builder)), data_dir)
        if not size_path(data_dir, size).exists():
            write_size(size, data_dir)
    return open_size(size, data_dir)
