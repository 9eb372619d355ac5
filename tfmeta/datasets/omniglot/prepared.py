"""Omniglot as TensorFlow Datasets has prepared it."""

from __future__ import annotations

from typing import Any

from tfmeta.datasets.omniglot.archives import ARCHIVES, DRAWINGS_PER_CHARACTER, Drawings
from tfmeta.datasets.omniglot.characters import all_characters
from tfmeta.datasets.tfds_builders import readable


def read_prepared(builder: Any) -> Drawings:
    """Reads a prepared TFDS `omniglot`.

    Args:
        builder: The prepared `tfds.core.DatasetBuilder`.

    Returns:
        The drawings as `read_drawings` gives those of the archives, both together.

    Raises:
        ValueError: When the prepared data is damaged or not all of Omniglot.
    """
    import tensorflow_datasets as tfds

    names = [_class_name(n) for n in builder.info.features["label"].names]
    drawings: Drawings = {name: [] for name in names}
    # The files as they are: Pillow decodes one bit faster than TensorFlow makes
    # three channels of it.
    undecoded = {"image": tfds.decode.SkipDecoding()}
    with readable(builder):
        for archive in ARCHIVES:
            dataset = builder.as_dataset(
                archive.part, batch_size=256, shuffle_files=False, decoders=undecoded
            )
            for batch in dataset.as_numpy_iterator():
                for content, label in zip(batch["image"], batch["label"], strict=True):
                    drawings[names[label]].append(content)
    counts = [len(files) for files in drawings.values()]
    if {*names} != {*all_characters()} or {*counts} != {DRAWINGS_PER_CHARACTER}:
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must hold "
            f"{len(all_characters()):,} characters of {DRAWINGS_PER_CHARACTER} "
            f"pictures. Received: {len(names):,} characters of {min(counts)} to "
            f"{max(counts)} pictures; delete that folder and prepare it again"
        )
    return drawings


def _class_name(label: str) -> str:
    """`Arcadian_0` of TFDS as `Arcadian/character01` of the archives."""
    alphabet, index = label.rsplit("_", 1)
    return f"{alphabet}/character{int(index) + 1:02d}"
