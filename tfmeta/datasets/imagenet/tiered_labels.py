"""The labels that come with the pickles of tieredImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.imagenet.catalogue import Catalogue
from tfmeta.datasets.imagenet.integers import integer_array
from tfmeta.datasets.reading.unpickling import load_arrays


def read_labels(path: Path, split: str, catalogue: Catalogue) -> list[str]:
    """Reads the classes of all pictures of a split.

    Two forms are read:

    * `label_specific`, a number for each picture, and `label_specific_str`, the
      names of the classes: WordNet ids, or the words of WordNet for them, in
      the order of `synsets.txt` and `class_names.txt` if these lie beside
      the file;
    * `labels`, a number or a WordNet id for each picture.

    Superclasses follow from the classes; `label_general` is not needed.

    Args:
        path: The pickle.
        split: The split that it belongs to.
        catalogue: Its classes.

    Returns:
        A WordNet id for each picture, or, where there are mere numbers, names
        such as `"train/000"` in the order of the numbers.

    Raises:
        ValueError: When the file is damaged, unsafe or of another form, or
            names other classes.
    """
    content = load_arrays(path)
    content = content if isinstance(content, dict) else {}
    if {"label_specific", "label_specific_str"} <= set(content):
        numbers = integer_array(content["label_specific"], path, "label_specific")
        names = _names(content["label_specific_str"], path)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(names)):
            raise ValueError(
                f"{path}: 'label_specific' must be from 0 to {len(names) - 1}. "
                f"Received: {numbers.min()} to {numbers.max()}"
            )
        wnids = _wnids(names, path, split, catalogue)
        return [wnids[number] for number in numbers]
    if "labels" in content:
        labels = content["labels"]
        if isinstance(labels, list) and labels and isinstance(labels[0], str):
            names = sorted(set(_names(labels, path)))
            by_name = dict(
                zip(names, _wnids(names, path, split, catalogue), strict=True)
            )
            return [by_name[label.strip()] for label in labels]
        _, order = np.unique(integer_array(labels, path, "labels"), return_inverse=True)
        return [f"{split}/{number:03d}" for number in order]
    raise ValueError(
        f"{path} must be a dict with 'label_specific' and 'label_specific_str', or "
        f"with 'labels'. Received: {sorted(map(str, content))[:5] or 'none of them'}"
    )


def _wnids(
    names: Sequence[str], path: Path, split: str, catalogue: Catalogue
) -> list[str]:
    known = {n: n for n in catalogue.classes[split]}
    for wnid in catalogue.classes[split]:
        known.setdefault(catalogue.words.get(wnid, wnid), wnid)
    known |= {
        words: wnid for wnid, words in _beside(path) if wnid in catalogue.classes[split]
    }
    strange = [name for name in names if name not in known]
    if strange:
        raise ValueError(
            f"{path} must name {split} classes of {catalogue.title}. Received: "
            f"{len(strange)} other names, the first {strange[0]!r}"
        )
    wnids = [known[name] for name in names]
    if len(set(wnids)) != len(wnids):
        raise ValueError(f"{path} must name each class once. Received: one twice")
    return wnids


def _beside(path: Path) -> list[tuple[str, str]]:
    """Ids and names in the two text files that the authors' archive has."""
    ids, names = path.with_name("synsets.txt"), path.with_name("class_names.txt")
    if not (ids.is_file() and names.is_file()):
        return []
    lines = (f.read_text("utf-8", "replace").splitlines() for f in (ids, names))
    return [(a.strip(), b.strip()) for a, b in zip(*lines, strict=False)]


def _names(value: Any, path: Path) -> list[str]:
    if isinstance(value, dict):  # by number
        value = [value.get(number) for number in range(len(value))]
    names = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(names, list | tuple) or not all(
        isinstance(n, str) for n in names
    ):
        raise ValueError(
            f"{path}: classes must be a list of names. Received: {type(value).__name__}"
        )
    return [name.strip() for name in names]
