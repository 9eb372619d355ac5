"""The data of a run: its splits, and what kind of examples they hold."""

from __future__ import annotations

import dataclasses
import os
from typing import Literal

import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable, load
from tfmeta.datasets.reading.ground import common_ground, ground_of
from tfmeta.datasets.registry import DATASETS
from tfmeta.runs.config import TrainConfig

Kind = Literal["pictures", "text", "other"]


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
    """
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
        return load(
            config.dataset,
            split=split,
            protocol=config.protocol,
            size=config.size,
            data_dir=data_dir,
        )
    from tfmeta.datasets.own import load_own_split

    with renamed_arguments({"name": "dataset"}):
        return load_own_split(
            config.dataset, split, size=config.size, data_dir=data_dir
        )


def kind_of(table: ClassTable) -> Kind:
    """What the examples of a table are, for the choice of encoder and pictures."""
    if table.examples.dtype == object:
        return "text"
    if len(table.example_shape) == 3 and table.example_shape[-1] in (1, 3):
        return "pictures"
    return "other"


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
