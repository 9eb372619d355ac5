"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings of each."""

from __future__ import annotations

import dataclasses
import json
import os
from importlib import resources
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.omniglot.archives import ARCHIVES, URL
from tfmeta.datasets.omniglot.importing import omniglot_builder
from tfmeta.datasets.omniglot.pack import (
    SCAN_SIZE,
    SIZE,
    PackedOmniglot,
    pack_prepared,
    packed_path,
    read_packed,
)
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.datasets.tfds_archives import connection_problem, import_folder, prepare

# Accepted splits by protocol.
PROTOCOLS = {
    "vinyals": ("train", "validation", "test", "trainval"),
    "lake": ("train", "validation", "test", "background"),
}

# Five of the thirty background alphabets, 136 characters: the first five of
# `np.random.default_rng(0).permutation(sorted(alphabets))`. Written out, because
# NumPy does not promise that stream for ever.
LAKE_VALIDATION = ("Arcadian", "Cyrillic", "Early_Aramaic", "Latin", "Sanskrit")

_PROBE_URL = URL + "images_background_small1.zip"


def load_omniglot(
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    protocol: str = "vinyals",
    rotations: bool | None = None,
    size: int = SIZE,
) -> ClassTable:
    """Loads one split of Omniglot, by default as 28x28 pictures.

    The first call on a machine takes what is there: the packed file of an
    import, else a data set that TensorFlow Datasets has prepared in `data_dir`,
    else the four archives (17 MB) from the authors' repository. Later calls
    read the packed file. Each size has a packed file of its own, made from the
    prepared data set when it is first asked for.

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
            packed file.
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
    packed = _packed(resolve_data_dir(data_dir), size)
    chosen = _vinyals(split) if protocol == "vinyals" else _lake(split, packed)
    place = {name: index for index, name in enumerate(packed.class_names)}
    count = len(packed.examples) // len(packed.class_names)
    everything = ClassTable(
        name="omniglot",
        examples=packed.examples,
        offsets=np.arange(len(packed.class_names) + 1) * count,
        class_names=packed.class_names,
        groups=tuple(name.split("/")[0] for name in packed.class_names),
        group_level="alphabet",
        description=f"Omniglot, {protocol} {split} split, {size}x{size}, ink 255",
    )
    table = everything.take_classes([place[name] for name in chosen])
    turned = protocol == "vinyals" if rotations is None else rotations
    if turned and size > SIZE:
        unturned = SelectedExamples(table.examples, np.arange(table.num_examples))
        table = dataclasses.replace(table, examples=unturned)
    return table.with_rotations() if turned else table


def vinyals_characters() -> dict[str, tuple[str, ...]]:
    """The characters of the train, validation and test lists, sorted.

    Returns:
        Names such as `"Greek/character01"` by split.
    """
    text = resources.files("tfmeta.datasets.omniglot").joinpath("vinyals.json")
    lists = json.loads(text.read_text(encoding="utf-8"))
    return {
        split: tuple(
            f"{alphabet}/character{number:02d}"
            for alphabet, (first, last) in sorted(lists[split].items())
            for number in range(first, last + 1)
        )
        for split in ("train", "validation", "test")
    }


def _vinyals(split: str) -> tuple[str, ...]:
    lists = vinyals_characters()
    if split == "trainval":
        return tuple(sorted(lists["train"] + lists["validation"]))
    return lists[split]


def _lake(split: str, packed: PackedOmniglot) -> tuple[str, ...]:
    pairs = list(zip(packed.class_names, packed.background, strict=True))
    if split == "test":
        return tuple(name for name, background in pairs if not background)
    names = [name for name, background in pairs if background]
    if split == "background":
        return tuple(names)
    wanted = split == "validation"
    return tuple(n for n in names if (n.split("/")[0] in LAKE_VALIDATION) == wanted)


def _packed(data_dir: Path, size: int) -> PackedOmniglot:
    path = packed_path(data_dir, size)
    if path.exists():
        return read_packed(path, size)
    builder = omniglot_builder(data_dir)
    problem = None if builder.is_prepared() else connection_problem(_PROBE_URL)
    if problem is not None:
        raise FileNotFoundError(
            f"Omniglot is not in {data_dir} and cannot be downloaded ({problem}). "
            f"Without a connection, put {', '.join(ARCHIVES)} into a folder and type "
            "`tfmeta datasets import omniglot --from DIR`. Received: data_dir "
            f"{str(data_dir)!r}"
        )
    with import_folder(data_dir, "omniglot") as folder:
        if path.exists():  # another process was first
            return read_packed(path, size)
        if not builder.is_prepared():
            builder = prepare("omniglot", data_dir, folder)
        return pack_prepared(builder, path, size=size)
