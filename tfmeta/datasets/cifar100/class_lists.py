"""Which classes of CIFAR-100 belong to which superclass and to which split."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from tfmeta.datasets.splits import check_split

SPLITS = {
    "train": ("train",),
    "validation": ("validation",),
    "test": ("test",),
    "trainval": ("train", "validation"),
}


@functools.cache
def superclasses() -> dict[str, str]:
    """The superclass of each of the 100 classes, classes sorted by name."""
    pairs = {
        name: superclass
        for lists in _lists()["cifar_fs"].values()
        for superclass, names in lists.items()
        for name in names
    }
    return {name: pairs[name] for name in sorted(pairs)}


def cifar_fs_classes(split: str) -> tuple[str, ...]:
    """The classes of one split of CIFAR-FS, sorted.

    Raises:
        ValueError: When there is no such split.
    """
    lists = _lists()["cifar_fs"]
    parts = _parts("cifar_fs", split)
    return tuple(
        sorted(n for part in parts for names in lists[part].values() for n in names)
    )


def fc100_classes(split: str) -> tuple[str, ...]:
    """The classes of one split of FC100, which are those of its superclasses.

    Raises:
        ValueError: When there is no such split.
    """
    lists = _lists()["fc100"]
    chosen = {s for part in _parts("fc100", split) for s in lists[part]}
    return tuple(name for name, group in superclasses().items() if group in chosen)


def _parts(dataset: str, split: str) -> tuple[str, ...]:
    check_split(dataset, split, tuple(SPLITS))
    return SPLITS[split]


@functools.cache
def _lists() -> dict[str, Any]:
    text = resources.files("tfmeta.datasets.cifar100").joinpath("splits.json")
    return json.loads(text.read_text(encoding="utf-8"))
