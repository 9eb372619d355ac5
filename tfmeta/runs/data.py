"""The data of a run: its splits, and what kind of examples they hold."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from pathlib import Path

import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.datasets.hash_splits import TooFewClasses
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.own_split import OwnSplits, split_own
from tfmeta.datasets.reading.ground import common_ground, ground_of
from tfmeta.datasets.reading.pictures import picture_kind
from tfmeta.datasets.registry import DATASETS
from tfmeta.datasets.splits import SPLITS
from tfmeta.registry import Kind
from tfmeta.runs.columns import check_no_columns
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.sizing import too_few_classes


def load_split(
    config: TrainConfig, split: str, data_dir: str | os.PathLike | None = None
) -> ClassTable:
    """One split of the run's data set.

    Args:
        config: Names a data set, or the path of the user's own.
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: Where data sets are kept, `None` for the default.

    Returns:
        Its table. Where classes are known by their attributes and the data set has
        none, these are the names of the classes.

    Raises:
        ValueError: For a run of regression, which has no classes.
    """
    if config.task != "classification":
        raise ValueError(
            "this takes a run of classification, which has classes. Received: one of "
            f"{config.task}, of {config.target_column!r} by {config.task_column!r}"
        )
    table = _load(config, split, data_dir)
    if config.support != "attributes" or table.class_attributes is not None:
        return table
    # As one would say them: those of folders and columns have underscores.
    names = np.array([name.replace("_", " ") for name in table.class_names], object)
    return dataclasses.replace(table, class_attributes=names)


def _load(
    config: TrainConfig, split: str, data_dir: str | os.PathLike | None
) -> ClassTable:
    # The seed of generated glyphs, and of the split of own data, names the data
    # set; it stays while the training seed changes.
    if config.dataset in DATASETS:
        if config.skip_bad:
            raise ValueError(
                "`skip_bad` must be left out for a data set of the list, which is "
                f"complete. Received: skip_bad=True for {config.dataset}"
            )
        check_no_columns(config.dataset, config.columns)
        return load(
            config.dataset,
            split=split,
            protocol=config.protocol,
            size=config.size,
            data_dir=data_dir,
        )
    return own_splits(config, data_dir).read(split)


def own_splits(
    config: TrainConfig, data_dir: str | os.PathLike | None = None
) -> OwnSplits:
    """How the user's own data of a run are divided: as the run says, if it does.

    Raises:
        FileNotFoundError: When they are not there.
        ValueError: When they cannot be read, or come in other splits than a run needs.
    """
    find = functools.partial(
        split_own,
        config.dataset,
        kept=config.splits,
        size=config.size,
        skip_bad=config.skip_bad,
        **config.columns,
        data_dir=data_dir,
    )
    try:
        with renamed_arguments({"name": "dataset"}):
            splits = find()
            groups = len(set(ClassSizes.of(splits.whole).groups or ()))
            whole = config.test.same_group and config.splits is None
            if whole and groups >= len(SPLITS):
                # Divided by class, a group would be a small one in each split.
                splits = find(by_group=True)
    except TooFewClasses as error:
        raise too_few_classes(config.dataset, error.count) from error
    missing = [split for split in SPLITS if split not in splits.names]
    if missing:
        raise ValueError(
            f"data set {config.dataset!r}, which comes in splits, must have a folder "
            f"for each of {', '.join(SPLITS)}. Received: {', '.join(splits.names)}"
        )
    return splits


def are_photographs(source: ClassTable | LabelledFiles) -> bool:
    """Whether examples are pictures in colour; files are not read for it."""
    if isinstance(source, ClassTable):
        return kind_of(source) == "pictures" and source.example_shape[-1] == 3
    return source.kind == "pictures" and any(map(_is_in_colour, source.files))


def _is_in_colour(file: Path) -> bool:
    """Whether a picture is; what cannot be read is named when all are read."""
    with contextlib.suppress(OSError, ValueError):
        return not picture_kind(file).is_grey
    return False


def with_splits(config: TrainConfig, splits: OwnSplits) -> TrainConfig:
    """A configuration that says how the user's own data are divided.

    The run keeps to it, whatever classes the data have later.
    """
    kept = {split: list(splits.origins(split)) for split in SPLITS}
    return dataclasses.replace(config, splits=kept)


def split_sizes(
    config: TrainConfig, data_dir: str | os.PathLike | None = None
) -> dict[str, ClassSizes]:
    """The classes of each split of the run's data set; own files are not read for it.

    Raises:
        FileNotFoundError, ValueError: As `own_splits` and `tfmeta.datasets.load`.
    """
    if config.dataset in DATASETS:
        return {s: ClassSizes.of(load_split(config, s, data_dir)) for s in SPLITS}
    return own_split_sizes(own_splits(config, data_dir))


def own_split_sizes(splits: OwnSplits) -> dict[str, ClassSizes]:
    """The classes of each split of the user's own data."""
    return {split: ClassSizes.of(splits.take(split)) for split in SPLITS}


def kind_of(table: ClassTable) -> Kind:
    """What the examples of a table are, for the choice of encoder and pictures."""
    return kind_of_examples(table.example_shape, table.examples.dtype)


def kind_of_examples(shape: tuple[int, ...], dtype: np.dtype) -> Kind:
    """What examples of a shape and dtype are."""
    if dtype.kind == "O":
        return "text"
    if dtype in (np.uint8, np.uint16) and len(shape) == 3 and shape[-1] in (1, 3):
        return "pictures"
    if dtype.kind not in "biuf":
        return "other"
    by_rank: dict[int, Kind] = {1: "vectors", 2: "series", 3: "arrays"}
    return by_rank.get(len(shape), "other")


def light_ground(table: ClassTable) -> bool | None:
    """Whether pictures are dark on light.

    Args:
        table: Classes of any examples.

    Returns:
        True for dark ink on light ground, False for the other way round, `None`
        for colours, for what has no clear ground (`common_ground` of about 1,000
        pictures, of which 2 % may be the other way round) and for all else.
    """
    if (
        kind_of(table) != "pictures"
        or table.example_shape[-1] != 1
        or table.examples.dtype not in (np.uint8, np.uint16)
    ):
        return None
    rows = np.arange(0, table.num_examples, max(1, table.num_examples // 1000))
    ground = common_ground(
        map(ground_of, np.asarray(table.examples[rows])), most_against=0.02
    )
    return {"light": True, "dark": False}.get(ground)
