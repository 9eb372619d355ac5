"""tieredImageNet as the pickles and npz files that are passed around."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.npz_rows import NpzRows
from tfmeta.datasets.imagenet.picture_source import (
    SHAPE,
    Picture,
    Stored,
    file_digest,
    giving,
)
from tfmeta.datasets.imagenet.tiered_labels import read_labels
from tfmeta.datasets.reading.unpickling import load_arrays

# File names by split.
PNG_PICKLES = {
    "train": ("train_images_png.pkl",),
    "validation": ("val_images_png.pkl",),
    "test": ("test_images_png.pkl",),
}
NPZ_FILES = {
    "train": ("train_images.npz",),
    "validation": ("val_images.npz",),
    "test": ("test_images.npz",),
}
LABELS = {
    "train": ("train_labels.pkl",),
    "validation": ("val_labels.pkl",),
    "test": ("test_labels.pkl",),
}
_MAX_BYTES = 64 * 2**30  # they are mapped into memory, not read


class TieredPickles:
    """tieredImageNet in files of pictures and of labels.

    Two forms are read:

    * `{split}_images_png.pkl` of M. Ren et al. (2018,
      github.com/renmengye/few-shot-ssl-public), a list of PNG files;
    * `{split}_images.npz` of their program and of K. Lee et al. (2019,
      github.com/kjunelee/MetaOptNet), one array `images`. OpenCV wrote it, its
      channels are blue, green and red (as the program of the former has it, and
      readers of the latter, github.com/yinboc/few-shot-meta-baseline for one).

    Their labels are in `{split}_labels.pkl`, see
    `tfmeta.datasets.imagenet.tiered_labels`. Where labels are mere numbers, the
    classes are named `"train/000"` and have no superclasses.

    Args:
        path: The folder of the files.
        images: The pictures of each split.
        labels: The labels of each split.
        catalogue: What they should hold.

    Raises:
        ValueError: When a file is damaged, unsafe or of another form.
    """

    def __init__(
        self,
        path: Path,
        images: Mapping[str, Path],
        labels: Mapping[str, Path],
        catalogue: Catalogue,
    ) -> None:
        self.path = path
        self._images = dict(images)
        self.form = f"from {images['train'].name} and its like, 84x84"
        self.notes: tuple[str, ...] = ()
        self._labels = {s: read_labels(labels[s], s, catalogue) for s in SPLITS}
        unnamed = [s for s in SPLITS if f"{s}/000" in self._labels[s]]
        if unnamed and len(unnamed) < len(SPLITS):
            raise ValueError(
                f"{path}: labels must be names in all splits or in none. Received: "
                f"numbers in {', '.join(labels[s].name for s in unnamed)} alone"
            )
        if unnamed:
            self.notes += (
                f"{labels['train'].name} and its like number the classes and do not "
                "name them: they are called 'train/000' and so on, and have no "
                "superclasses.",
            )
            catalogue = _without_names(catalogue)
        self.catalogue = catalogue
        self.sizes: dict[str, int] = {}
        for split in SPLITS:
            counts = Counter(self._labels[split])
            if twice := sorted(set(counts) & set(self.sizes)):
                raise ValueError(
                    f"{labels[split]} must share no class with the other splits. "
                    f"Received: {twice[0]!r} again"
                )
            self.sizes |= counts
        self.digest = file_digest([*images.values(), *labels.values()])

    def pictures(self, split: str) -> Iterator[Picture]:
        """The pictures of one split, in the order of the file."""
        labels, path = self._labels[split], self._images[split]
        images: Iterable[Stored]
        if path.suffix == ".npz":
            rows = NpzRows(path, "images", SHAPE)
            count, images = len(rows), map(_from_bgr, rows)
        else:
            files = load_arrays(path, max_bytes=_MAX_BYTES)
            if not isinstance(files, list):
                raise ValueError(
                    f"{path} must be a list of PNG files. Received: "
                    f"{type(files).__name__}"
                )
            count, images = len(files), (_file(path, file) for file in files)
        if count != len(labels):
            raise ValueError(
                f"{path} must have one picture for each of the {len(labels):,} labels. "
                f"Received: {count:,}"
            )
        ranks: Counter[str] = Counter()
        for label, image in zip(labels, images, strict=True):
            rank = ranks[label]
            ranks[label] += 1
            name = f"{label}/{rank:04d}"
            yield Picture(label, rank, name, path, giving(image))


def _from_bgr(row: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(row[..., ::-1])


def _file(path: Path, file: Any) -> bytes:
    """A PNG file, which OpenCV gives as an array of bytes, of one column or not."""
    if isinstance(file, np.ndarray) and file.dtype == np.uint8:
        return file.tobytes()
    if isinstance(file, bytes):
        return file
    raise ValueError(
        f"{path} must be a list of PNG files as bytes or uint8 arrays. Received: "
        f"{type(file).__name__}"
    )


def _without_names(catalogue: Catalogue) -> Catalogue:
    classes = {
        split: tuple(f"{split}/{number:03d}" for number in range(len(names)))
        for split, names in catalogue.classes.items()
    }
    return dataclasses.replace(catalogue, classes=classes, superclasses={}, words={})
