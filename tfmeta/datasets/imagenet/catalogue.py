"""What a complete copy of miniImageNet or tieredImageNet holds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The classes of a data set, and how many pictures it should have.

    Args:
        name: Name of the data set and of its table.
        title: What it is called in messages and descriptions.
        classes: The classes of each split, mostly WordNet ids such as
            `"n01532829"`; those of several splits differ.
        pictures: The number of pictures of each split, or `None` where a copy
            need not be complete.
        class_sizes: The least and the most pictures that a class has in a
            complete copy.
        superclasses: Superclass by class, WordNet ids; empty where there are
            none.
        words: What WordNet calls classes and superclasses, by id.
    """

    name: str
    title: str
    classes: Mapping[str, tuple[str, ...]]
    pictures: Mapping[str, int] | None
    class_sizes: tuple[int, int] = (1, 2**63)
    superclasses: Mapping[str, str] = dataclasses.field(default_factory=dict)
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @cached_property
    def split_of(self) -> dict[str, str]:
        """Split by class."""
        return {name: split for split, names in self.classes.items() for name in names}

    def group_of(self, class_name: str) -> str | None:
        """A readable name of a class's superclass, or `None` without one.

        It is the first of the words that WordNet has for it, which differ.
        """
        superclass = self.superclasses.get(class_name)
        if superclass is None:
            return None
        return self.words.get(superclass, superclass).split(",")[0]

    def texts_of(self, class_names: Sequence[str]) -> np.ndarray | None:
        """The words of each class, str objects; `None` where those of one are unknown.

        All its words, between commas: a vector of a text knows more of a class by all
        of them than by the first.
        """
        if not set(class_names) <= set(self.words):
            return None
        return np.array([self.words[name] for name in class_names], object)


def mini_catalogue() -> Catalogue:
    """The classes of miniImageNet in the split of Ravi and Larochelle (2017)."""
    lists = _read("mini.json")
    classes = {split: tuple(lists[split]) for split in SPLITS}
    return Catalogue(
        name="mini_imagenet",
        title="miniImageNet in the split of Ravi and Larochelle",
        classes=classes,
        pictures={split: 600 * len(names) for split, names in classes.items()},
        class_sizes=(600, 600),
        words=lists["words"],
    )


def tiered_catalogue(*, partial: bool = False) -> Catalogue:
    """The classes of tieredImageNet.

    Args:
        partial: For a copy that need not be complete, whose name says so: with
            other or fewer pictures, accuracies are not those of tieredImageNet.
    """
    lists = _read("tiered.json")
    classes, superclasses, words = {}, {}, dict(lists["superclasses"])
    for split in SPLITS:
        for superclass, members in lists[split].items():
            words.update(members)
            superclasses.update(dict.fromkeys(members, superclass))
        classes[split] = tuple(sorted(n for m in lists[split].values() for n in m))
    return Catalogue(
        name="tiered_imagenet_partial" if partial else "tiered_imagenet",
        title="part of tieredImageNet" if partial else "tieredImageNet",
        classes=classes,
        pictures=None
        if partial
        else {"train": 448_695, "validation": 124_261, "test": 206_209},
        # What classes of ILSVRC-2012 have (Russakovsky et al., 2015, Table 2).
        class_sizes=(732, 1300),
        superclasses=superclasses,
        words=words,
    )


def _read(name: str) -> dict[str, Any]:
    text = resources.files("tfmeta.datasets.imagenet").joinpath(name)
    return json.loads(text.read_text(encoding="utf-8"))
