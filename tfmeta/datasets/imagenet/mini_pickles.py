"""miniImageNet as the pickles that are passed around."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.integers import integer_array
from tfmeta.datasets.imagenet.picture_source import SHAPE, Picture, file_digest
from tfmeta.datasets.reading.unpickling import load_arrays

# Pictures of one split, and the rows of each class.
_Split = tuple[np.ndarray, dict[str, np.ndarray]]

# File names by split; of several names, one is enough. Those of Gidaris and
# Komodakis that are left out hold further pictures of the training classes.
CACHES = {
    "train": ("mini-imagenet-cache-train.pkl",),
    "validation": ("mini-imagenet-cache-val.pkl", "mini-imagenet-cache-validation.pkl"),
    "test": ("mini-imagenet-cache-test.pkl",),
}
CATEGORY_SPLITS = {
    "train": ("miniImageNet_category_split_train_phase_train.pickle",),
    "validation": ("miniImageNet_category_split_val.pickle",),
    "test": ("miniImageNet_category_split_test.pickle",),
}


class MiniPickles:
    """miniImageNet in three pickles of arrays.

    Two forms are read, both with pictures of 84x84, red, green and blue:

    * `mini-imagenet-cache-*.pkl` of M. Ren et al. (2018,
      github.com/renmengye/few-shot-ssl-public): `image_data`, a uint8 array, and
      `class_dict`, the rows of each class;
    * `miniImageNet_category_split_*.pickle` of S. Gidaris and N. Komodakis (2018,
      github.com/gidariss/FewShotWithoutForgetting): `data`, `labels` and
      `catname2label`.

    The pictures stay in the files, which are mapped into memory.

    Args:
        path: The folder of the pickles.
        files: The pickle of each split.
        catalogue: What they should hold.

    Raises:
        ValueError: When a pickle is damaged, unsafe or of another form.
    """

    def __init__(
        self, path: Path, files: Mapping[str, Path], catalogue: Catalogue
    ) -> None:
        self.path, self.catalogue = path, catalogue
        self.notes: tuple[str, ...] = ()
        self.form = f"from {files['train'].name} and its like, 84x84"
        self._splits = {split: _read_split(files[split]) for split in SPLITS}
        self.digest = file_digest(files[split] for split in SPLITS)
        self.sizes: dict[str, int] = {}
        for split, (_, rows_of) in self._splits.items():
            strange = sorted(set(rows_of) - set(catalogue.classes[split]))
            if strange:
                raise ValueError(
                    f"{files[split]} must hold the {split} classes of "
                    f"{catalogue.title}. Received: {len(strange)} other classes, the "
                    f"first {strange[0]!r}"
                )
            self.sizes |= {c: len(rows) for c, rows in rows_of.items()}

    def pictures(self, split: str) -> Iterator[Picture]:
        """The pictures of one split, class by class."""
        images, rows_of = self._splits[split]
        for class_name, rows in rows_of.items():
            for rank, row in enumerate(rows):
                yield Picture(
                    class_name,
                    rank,
                    f"{class_name}/{rank:04d}",
                    self.path,
                    functools.partial(np.array, images[row]),
                )


def find_pickles(
    path: Path, names: Mapping[str, tuple[str, ...]]
) -> dict[str, Path] | None:
    """The three pickles of one form in a folder.

    Args:
        path: The folder.
        names: Possible file names by split.

    Returns:
        The file of each split, or `None` where there is none of them.

    Raises:
        ValueError: When some are there and some are missing.
    """
    found = {
        split: next((path / n for n in options if (path / n).is_file()), None)
        for split, options in names.items()
    }
    files = {split: file for split, file in found.items() if file is not None}
    if files and len(files) < len(names):
        missing = [names[split][0] for split in names if split not in files]
        raise ValueError(
            f"{path} must hold the pickles of all three splits. Received: "
            f"{', '.join(f.name for f in files.values())} without {', '.join(missing)}"
        )
    return files or None


def _read_split(path: Path) -> _Split:
    content = load_arrays(path)
    keys = set(content) if isinstance(content, dict) else set()
    if {"image_data", "class_dict"} <= keys:
        images, rows_of = content["image_data"], _from_class_dict(content, path)
    elif {"data", "labels", "catname2label"} <= keys:
        images, rows_of = content["data"], _from_labels(content, path)
    else:
        raise ValueError(
            f"{path} must be a dict with 'image_data' and 'class_dict', or with "
            "'data', 'labels' and 'catname2label'. Received: "
            f"{type(content).__name__} with {sorted(map(str, keys))[:5]}"
        )
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape[1:] != SHAPE
    ):
        raise ValueError(
            f"{path} must hold pictures as one uint8 array of shape (pictures, 84, 84, "
            f"3). Received: {_kind(images)}"
        )
    rows = np.concatenate([np.zeros(0, np.int64), *rows_of.values()])
    if rows.size and (rows.min() < 0 or rows.max() >= len(images)):
        raise ValueError(
            f"{path} must name rows from 0 to {len(images) - 1}. Received: "
            f"{rows.min()} to {rows.max()}"
        )
    if len(np.unique(rows)) != len(rows):
        raise ValueError(
            f"{path} must give each picture one class. Received: "
            f"{len(rows) - len(np.unique(rows)):,} that are named again"
        )
    return images, rows_of


def _from_class_dict(content: dict[str, Any], path: Path) -> dict[str, np.ndarray]:
    rows_of = content["class_dict"]
    if not isinstance(rows_of, dict) or not all(isinstance(k, str) for k in rows_of):
        raise ValueError(
            f"{path}: 'class_dict' must be a dict of rows by class name. Received: "
            f"{type(rows_of).__name__}"
        )
    return {name: integer_array(rows, path, name) for name, rows in rows_of.items()}


def _from_labels(content: dict[str, Any], path: Path) -> dict[str, np.ndarray]:
    labels = integer_array(content["labels"], path, "labels")
    names = content["catname2label"]
    if len(labels) != len(content["data"]):
        raise ValueError(
            f"{path}: 'labels' must have one label for each of the "
            f"{len(content['data'])} pictures. Received: {len(labels)}"
        )
    if not isinstance(names, dict):
        raise ValueError(
            f"{path}: 'catname2label' must be a dict of labels by class name. "
            f"Received: {type(names).__name__}"
        )
    by_label = {int(label): str(name) for name, label in names.items()}
    unnamed = set(np.unique(labels).tolist()) - set(by_label)
    if unnamed:
        raise ValueError(
            f"{path}: 'catname2label' must name all labels. Received: none for "
            f"{sorted(unnamed)[:5]}"
        )
    rows_of = {n: np.flatnonzero(labels == label) for label, n in by_label.items()}
    return {name: rows for name, rows in rows_of.items() if len(rows)}


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
