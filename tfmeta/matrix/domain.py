"""A domain: classes of one data set that no encoder of the matrix was trained on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.classifying.ground_of_files import ground_of_files
from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.datasets.imagenet.catalogue import mini_catalogue, tiered_catalogue
from tfmeta.datasets.own.given_splits import given_splits
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.own_split import Own, OwnSplits, split_own
from tfmeta.datasets.reading.ground import common_ground
from tfmeta.datasets.reading.pictures import picture_kind
from tfmeta.datasets.registry import DATASETS
from tfmeta.datasets.storage.selected import select_rows
from tfmeta.runs.data import Kind, kind_of, light_ground

# Files that are looked at for the ground of all, and the side they are looked at in.
_LOOKED_AT, _SIDE = 100, 96


@dataclasses.dataclass(frozen=True)
class Domain:
    """Classes of one data set, no more than the matrix measures on.

    Attributes:
        name: What its columns are called.
        source: The classes: a table, or files of pictures that nobody has read.
        chosen: Which classes they are taken from, in words.
        classes_of_all: How many there are to take from.
        cut_from: Name of a larger data set that classes of it are known to be part of.
    """

    name: str
    source: Own
    chosen: str
    classes_of_all: int
    cut_from: str | None = None

    @cached_property
    def sizes(self) -> ClassSizes:
        """How many examples each class has."""
        return ClassSizes.of(self.source)

    @property
    def kind(self) -> Kind:
        """What the examples are; files are always pictures here."""
        if isinstance(self.source, LabelledFiles):
            return "pictures"
        return kind_of(self.source)

    @cached_property
    def light_ground(self) -> bool | None:
        """Whether pictures are dark on light, as `tfmeta.runs.data.light_ground`."""
        if isinstance(self.source, ClassTable):
            return light_ground(self.source)
        return light_ground_of_files(self.source.files)

    def features(self, features: np.ndarray) -> ClassTable:
        """The table of what an encoder makes of the examples, in their order."""
        if isinstance(self.source, ClassTable):
            return dataclasses.replace(self.source, examples=features)
        return self.source.to_table(features, f"features of {self.source.source}")

    def is_of(self, origins: Collection[str]) -> bool:
        """Whether some classes are of this data set, other ones of it included."""
        return any(origin.startswith(f"{self.source.name}/") for origin in origins)


def light_ground_of_files(files: Sequence[Path]) -> bool | None:
    """Whether pictures are dark on light; some of many files are looked at."""
    some = files[:: -(-len(files) // _LOOKED_AT)]
    grounds = ground_of_files(some, size=(_SIDE, _SIDE))
    return {"light": True, "dark": False}.get(
        common_ground(grounds.values(), most_against=0.02)
    )


def open_domain(
    given: str,
    name: str,
    *,
    seen: Collection[str] = (),
    most_classes: int,
    images_per_class: int,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
) -> Domain:
    """Opens the unseen classes of a data set.

    Of a data set of the list that is its test split. Data of the user's own have the
    test split that they come in, and else all of their classes; those that a run of
    the matrix has seen are left out for all.

    Args:
        given: A name of `tfmeta.datasets.registry.DATASETS`, a path, or `"tfds:NAME"`.
        name: What its columns are called.
        seen: Origins of the classes that some run was trained or chosen on.
        most_classes: The most classes that are taken, drawn by `seed`.
        images_per_class: The most examples of each, drawn likewise.
        seed: Seed of what is drawn.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        FileNotFoundError: When the data are not there.
        ValueError: When they cannot be read, or no class is unseen; names `dataset`.
    """
    source: Own
    if given in DATASETS:
        with renamed_arguments({"name": "dataset"}):
            source = load(given, split="test", data_dir=data_dir)
        chosen, cut_from = "test classes", source.cut_from
    else:
        source, chosen = _open_own(given, seen, data_dir)
        cut_from = _cut_from(source)
    return Domain(
        name=name,
        source=_bounded(source, most_classes, images_per_class, seed),
        chosen=chosen,
        classes_of_all=len(source.class_names),
        cut_from=cut_from,
    )


def _open_own(
    given: str, seen: Collection[str], data_dir: str | os.PathLike[str] | None
) -> tuple[Own, str]:
    path = given if given.startswith("tfds:") else Path(given).expanduser()
    if isinstance(path, Path) and not path.exists():
        raise ValueError(
            f"`dataset` must be one of {', '.join(DATASETS)}, or the path of a folder "
            "or CSV file of your own, or tfds:NAME for a data set of TensorFlow "
            f"Datasets. Received: {given!r}, and there is no such path"
        )
    test = "test" in given_splits(path)
    with renamed_arguments({"name": "dataset"}):
        kept = {"seen": sorted(seen)}
        splits = split_own(path, kept=None if test else kept, data_dir=data_dir)
    origins = splits.origins("test")
    unseen = [origin for origin in origins if origin not in set(seen)]
    if not unseen:
        raise ValueError(
            "`dataset` must have a class that no RUN has seen. Received: "
            f"{given!r}, of whose {len(splits.whole.class_names)} classes all were"
        )
    all_unseen = len(unseen) == len(splits.whole.class_names)
    words = "classes" if all_unseen else "classes that no run has seen"
    chosen = "test classes" if test and len(unseen) == len(origins) else words
    return _taken(splits, set(unseen)), chosen


def _taken(splits: OwnSplits, unseen: Collection[str]) -> Own:
    """The unseen classes; pictures are not read, other files are."""
    source = splits.take("test")
    if isinstance(source, LabelledFiles) and source.kind == "arrays":
        source = splits.read("test")
    places = [c for c, origin in enumerate(source.origins) if origin in unseen]
    if isinstance(source, ClassTable):
        return source.take_classes(places)
    for file in source.files:
        picture_kind(file)  # What is no picture is said before the first is encoded.
    return source.take_classes([source.class_names[c] for c in places])


def _cut_from(source: Own) -> str | None:
    """Whether a folder has classes of ImageNet, named by their ids in WordNet."""
    if isinstance(source, ClassTable) and source.cut_from is not None:
        return source.cut_from
    known = {*mini_catalogue().split_of, *tiered_catalogue().split_of}
    names = {name.rpartition("/")[2] for name in source.class_names}
    return "imagenet" if known & names else None


def _bounded(source: Own, most_classes: int, most_each: int, seed: int) -> Own:
    """Some classes, and some examples of each; those of a class by its own draw."""
    sizes = np.asarray(source.class_sizes)
    classes = np.arange(len(sizes))
    if len(classes) > most_classes:
        drawn = np.random.default_rng(seed).choice(classes, most_classes, replace=False)
        classes = np.sort(drawn)
    starts = np.cumsum(sizes) - sizes
    rows = [
        starts[c]
        + np.sort(
            np.random.default_rng([seed, int(c)]).choice(
                sizes[c], min(sizes[c], most_each), replace=False
            )
        )
        for c in classes
    ]
    chosen = np.concatenate(rows)
    if len(chosen) == sizes.sum():
        return source
    if isinstance(source, LabelledFiles):
        files, labels = (
            tuple(values[row] for row in chosen)
            for values in (source.files, source.labels)
        )
        return dataclasses.replace(source, files=files, labels=labels)
    return dataclasses.replace(
        source.take_classes([int(c) for c in classes]),
        examples=select_rows(source.examples, chosen),
        offsets=np.cumsum([0, *map(len, rows)]),
    )
